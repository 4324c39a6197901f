package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/shop/internal/web"
)

func TestAnswers(t *testing.T) {
	handler := web.NewHandler(slog.New(slog.DiscardHandler))
	for _, test := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", http.StatusOK, `"hello":"world"`},
		{"GET", "/healthz", http.StatusNoContent, ""},
		{"GET", "/metrics", http.StatusOK, "http_request_duration_seconds"},
		{"GET", "/absent", http.StatusNotFound, ""},
		{"POST", "/", http.StatusMethodNotAllowed, ""},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), test.method, test.path, http.NoBody))
			if answer.Code != test.status {
				t.Errorf("status %d, not %d", answer.Code, test.status)
			}
			if !strings.Contains(answer.Body.String(), test.body) {
				t.Errorf("%q is not in %q", test.body, answer.Body.String())
			}
		})
	}
}

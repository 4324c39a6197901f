package httpserver

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Observe counts and logs what the handler answers: one histogram by route, method and status, one log line each.
// Routes are the patterns of the ServeMux, not paths: a metric must not grow with what clients ask for.
func Observe(log *slog.Logger, metrics prometheus.Registerer, handler http.Handler) http.Handler {
	duration := promauto.With(metrics).NewHistogramVec(prometheus.HistogramOpts{
		Name:    "http_request_duration_seconds",
		Help:    "Time from a request's headers to the end of its answer.",
		Buckets: prometheus.DefBuckets,
	}, []string{"route", "method", "status"})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		handler.ServeHTTP(recorder, r)
		took := time.Since(begin)
		duration.WithLabelValues(r.Pattern, methodOf(r), strconv.Itoa(recorder.status)).Observe(took.Seconds())
		log.LogAttrs(r.Context(), slog.LevelDebug, "request",
			slog.String("method", r.Method),
			slog.String("path", r.URL.Path),
			slog.Int("status", recorder.status),
			slog.Duration("took", took),
			slog.String("request_id", r.Header.Get("X-Request-Id")),
		)
	})
}

// methodOf keeps the metric's size bounded: a client may send any word as a method.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach Flush, Hijack and the deadlines of the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

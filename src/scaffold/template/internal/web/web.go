// Package web is what this service answers.
package web

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/shop/internal/httpserver"
)

// NewHandler has everything the service answers. What it needs (a database, a client) becomes a parameter here.
func NewHandler(log *slog.Logger) http.Handler {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", hello(log))
	mux.HandleFunc("GET /healthz", health)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return httpserver.Observe(log, metrics, mux)
}

// health says that this process can answer. It asks nobody else: a database that is down is no reason to restart it.
func health(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
}

func hello(log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]string{"hello": "world"}); err != nil {
			log.WarnContext(r.Context(), "answer not written", "error", err)
		}
	}
}

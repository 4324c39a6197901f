// Package httpserver runs an HTTP handler until it is told to stop, and stops it without cutting a request off.
package httpserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// grace is how long open requests may take once the stop has begun. It has to be shorter than the platform's own
// patience between SIGTERM and SIGKILL.
const grace = 8 * time.Second

// Serve answers requests on the listener until ctx is done; then it accepts no more, lets open requests finish, and
// returns. An error says that it could not serve, or that requests were still open after the grace.
func Serve(ctx context.Context, log *slog.Logger, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second, // a client that sends its headers slowly holds a connection no longer
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("serving", "address", listener.Addr().String())

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping", "grace", grace.String())
	// ctx is done: what is left to do has a time limit of its own.
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		return errors.Join(err, server.Close())
	}
	log.Info("stopped")
	return nil
}

// Command web serves HTTP on the port in PORT.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"example.com/shop/internal/httpserver"
	"example.com/shop/internal/web"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Getenv, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is main without the process around it: a test passes its own environment and reads what is logged.
func run(ctx context.Context, getenv func(string) string, out io.Writer) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cmp.Or(getenv("LOG_LEVEL"), "info"))); err != nil {
		return fmt.Errorf("LOG_LEVEL: %w", err)
	}
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))

	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(getenv("HOST"), cmp.Or(getenv("PORT"), "8080")))
	if err != nil {
		return err
	}
	return httpserver.Serve(ctx, log, listener, web.NewHandler(log))
}

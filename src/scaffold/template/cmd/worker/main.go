// Command worker works in the background; it listens nowhere.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/shop/internal/worker"
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

	interval, err := time.ParseDuration(cmp.Or(getenv("INTERVAL"), "10s"))
	if err != nil {
		return fmt.Errorf("INTERVAL: %w", err)
	}
	return worker.Run(ctx, log, interval, func(ctx context.Context) error {
		log.InfoContext(ctx, "worked")
		return nil
	})
}

// Package worker is what this worker does, again and again.
package worker

import (
	"context"
	"log/slog"
	"time"
)

// Run works once per interval until ctx is done. Work that has begun is finished first: it is given a context that is
// not done then, so it needs a time limit of its own.
func Run(ctx context.Context, log *slog.Logger, interval time.Duration, work func(context.Context) error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	log.Info("working", "interval", interval.String())
	for {
		select {
		case <-ctx.Done():
			log.Info("stopped")
			return nil
		case <-ticker.C:
			if err := once(context.WithoutCancel(ctx), interval, work); err != nil {
				log.Error("work failed", "error", err)
			}
		}
	}
}

func once(ctx context.Context, limit time.Duration, work func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return work(ctx)
}

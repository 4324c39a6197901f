package worker_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shop/internal/worker"
)

func TestWorkThatHasBegunIsFinishedBeforeTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		finished := 0
		work := func(ctx context.Context) error {
			stop()
			time.Sleep(time.Second)
			finished++
			return ctx.Err()
		}
		if err := worker.Run(ctx, slog.New(slog.DiscardHandler), time.Minute, work); err != nil {
			t.Fatal(err)
		}
		if finished != 1 {
			t.Errorf("%d pieces of work were finished", finished)
		}
	})
}

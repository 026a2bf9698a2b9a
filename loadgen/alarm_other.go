//go:build !linux

package loadgen

import "context"

func newAlarm(ctx context.Context) (alarm, error) { return newTimerAlarm(ctx), nil }

package process

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	// pollPeriod is the time between two looks at something that is starting.
	pollPeriod = 50 * time.Millisecond
	// answerTimeout bounds one look by HTTP.
	answerTimeout = 2 * time.Second
)

// Await polls until ready returns nil: until what the process is to bring is
// there. It gives up, with the last error and the end of the process' log, when
// ctx or the process ends.
func (p *Process) Await(ctx context.Context, what string, ready func(context.Context) error) error {
	ticker := time.NewTicker(pollPeriod)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %w", what, ctx.Err(), err)
		case <-p.Done():
			return fmt.Errorf("wait for %s: %w:\n%s", what, p.Ended(), p.Tail())
		case <-ticker.C:
		}
	}
}

// Answers asks for a URL and wants 200, within two seconds.
func Answers(ctx context.Context, c *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

package loadgen_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

func ExampleRun() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()

	rec := measure.NewRecorder()
	plan := loadgen.Plan{Schedule: loadgen.ConstantRate(200), Duration: 100 * time.Millisecond}
	if err := loadgen.Run(context.Background(), plan, loadgen.Target{URL: server.URL, Recorder: rec}); err != nil {
		fmt.Println(err)
	}
	got := rec.Take()
	fmt.Println(got.Requests(), "requests,", got.Outcomes[measure.Status(404)], "not found")
	// Output: 20 requests, 20 not found
}

package session

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/loadgen"
)

func canaryWith(a v1beta1.Analysis) *v1beta1.Canary {
	return &v1beta1.Canary{Spec: v1beta1.CanarySpec{Analysis: a}}
}

func hook(cmd string) v1beta1.Webhook {
	return v1beta1.Webhook{Name: "load-test", URL: "http://flagger-loadtester.test/", Metadata: map[string]string{"type": "cmd", "cmd": cmd}}
}

func TestWhereTheLoadComesFrom(t *testing.T) {
	for _, tc := range []struct {
		name     string
		analysis v1beta1.Analysis
		want     string
	}{
		{"nothing said", v1beta1.Analysis{}, "GET / at 10 requests/s to each revision"},
		{"the guide's hook", v1beta1.Analysis{Webhooks: []v1beta1.Webhook{hook("hey -z 1m -q 5 -c 2 http://podinfo.test")}}, "GET / at 10 requests/s to each revision"},
		{"another hook first", v1beta1.Analysis{Webhooks: []v1beta1.Webhook{hook("wrk http://x"), hook("hey -q 10 -c 3 -m POST http://podinfo.test/delay/1")}}, "POST /delay/1 at 30 requests/s to each revision"},
		{"hey without a rate", v1beta1.Analysis{Webhooks: []v1beta1.Webhook{hook("hey http://podinfo.test/x")}}, "GET /x at 10 requests/s to each revision"},
		{"hey after the rollout", v1beta1.Analysis{Webhooks: []v1beta1.Webhook{{Type: v1beta1.PostRolloutHook, Metadata: map[string]string{"cmd": "hey -q 9 http://x"}}}}, "GET / at 10 requests/s to each revision"},
		{"load before hook", v1beta1.Analysis{
			Load:     &v1beta1.Load{Rate: 50, Requests: []v1beta1.Request{{Path: "/api"}, {Method: "PUT"}}},
			Webhooks: []v1beta1.Webhook{hook("hey http://podinfo.test/x")},
		}, "GET /api and 1 more at 50 requests/s to each revision"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := LoadFor(canaryWith(tc.analysis))
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != tc.want {
				t.Errorf("load %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLoadIsTakenWhole(t *testing.T) {
	got, err := LoadFor(canaryWith(v1beta1.Analysis{Load: &v1beta1.Load{
		Rate: 50, Timeout: "2s", Connections: 8, Warmup: "0s",
		Requests: []v1beta1.Request{{Method: "POST", Path: "/p?q", Headers: map[string]string{"x-test": "1"}, Body: "b", Weight: 3, Expect: &v1beta1.Expect{Status: []v1beta1.StatusRange{"200-299", "404"}, Headers: map[string]string{"x-served-by": "v2"}, BodyContains: "ok"}}},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	want := Load{Rate: 50, Timeout: 2 * time.Second, Connections: 8, Requests: []loadgen.Request{
		{Method: "POST", Path: "/p?q", Header: http.Header{"X-Test": {"1"}}, Body: []byte("b"), Weight: 3, Expect: loadgen.Expectation{
			Status: []loadgen.StatusRange{{First: 200, Last: 299}, {First: 404, Last: 404}}, Header: map[string]string{"x-served-by": "v2"}, BodyContains: "ok",
		}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("load (-want +got):\n%s", diff)
	}
}

func TestLoadThatCannotBeSentIsRefused(t *testing.T) {
	for _, tc := range []struct {
		analysis v1beta1.Analysis
		want     string
	}{
		{v1beta1.Analysis{Webhooks: []v1beta1.Webhook{hook("hey http://podinfo.test; true")}}, "exactly one URL"},
		{v1beta1.Analysis{Webhooks: []v1beta1.Webhook{hook("hey -m 'B D' http://podinfo.test")}}, "invalid method"},
		{v1beta1.Analysis{Load: &v1beta1.Load{Requests: []v1beta1.Request{{Path: "no-slash"}}}}, "must start with /"},
		{v1beta1.Analysis{Load: &v1beta1.Load{Requests: []v1beta1.Request{{Expect: &v1beta1.Expect{Status: []v1beta1.StatusRange{"2xx"}}}}}}, "load.requests[0].expect"},
	} {
		if _, err := LoadFor(canaryWith(tc.analysis)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error %v, want one with %q", err, tc.want)
		}
	}
}

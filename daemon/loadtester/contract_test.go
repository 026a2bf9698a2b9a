package loadtester

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// What Flagger sends, and what its load tester answers.
func TestAnswersAsFlaggersLoadTester(t *testing.T) {
	const payload = `{"name":"podinfo","namespace":"test","phase":"Progressing","checksum":"85d557f47b","metadata":{}}`
	w := newWorld(t, nil, func(c *Config) { c.AllowExec = installed(t, "true", "false", "echo") }).run()
	w.programs["helm"], w.programs["kubectl"] = w.programs["echo"], w.programs["false"]
	for i, step := range []struct {
		path, body string
		status     int
		answer     string
	}{
		{"/gate/approve", payload, 200, "OK"},
		{"/gate/halt", payload, 403, "Forbidden"},
		{"/gate/check", payload, 403, "Forbidden"},
		{"/gate/open", payload, 202, ""},
		{"/gate/check", payload, 200, "Approved"},
		{"/gate/check", strings.Replace(payload, "podinfo", "backend", 1), 403, "Forbidden"},
		{"/rollback/check", payload, 403, "Forbidden"},
		{"/gate/close", payload, 202, ""},
		{"/gate/check", payload, 403, "Forbidden"},
		{"/rollback/open", payload, 202, ""},
		{"/rollback/check", payload, 200, "Approved"},
		{"/gate/check", payload, 403, "Forbidden"},
		{"/rollback/close", payload, 202, ""},
		{"/rollback/check", payload, 403, "Forbidden"},
		{"/gate/open", `{"name":"podinfo","namespace":"test"}`, 202, ""}, // as its documentation has people do it

		{"/", hook("hey -z 10ms -q 10 -c 2 http://podinfo.test/"), 202, ""},
		{"/", hook("hey -z 10ms -q 5 -c 2 http://podinfo.test", "type", "cmd", "logCmdOutput", "true"), 202, ""},
		{"/", hook("hey -z 10ms -q 10 -c 2 -H 'Cookie: type=insider' http://podinfo.test:9898/"), 202, ""},
		{"/", hook("hey -z 10ms -q 10 -c 2 -m POST -d '{test: 2}' http://podinfo.test:9898/echo"), 202, ""},
		{"/", hook("hey -z 10ms -q 10 -c 2 -host podinfo.test http://gateway.istio-ingress/"), 202, ""},
		{"/", hook("ghz -z 10ms -q 10 -c 2 --insecure podinfo.test:9898"), 202, ""},
		{"/", hook("ghz --insecure -n 1 -c 1 --rps 5 --proto=/tmp/ghz/health.proto --call=grpc.health.v1.Health/Check podinfo.test:9898"), 202, ""},
		{"/", hook("wrk -t1 -c2 -d1 --latency http://podinfo.test/"), 202, ""},
		{"/", hook("true"), 202, ""},
		{"/", hook("test podinfo --cleanup", "type", "helmv3"), 200, ""},
		{"/", hook("test 'pod info'", "type", "helm", "returnCmdOutput", "true"), 200, "test pod info\n"},
		{"/", hook("get pods", "type", "kubectl"), 500, "command get pods failed: : exit status 1"},
		{"/", payload, 400, `{"error":"metadata not found in payload: say in metadata.cmd what is to be done"}`},
		{"/", hook("x", "type", "nope"), 400, `{"error":"unknown task type \"nope\": this is cmd, or helm, helmv3 or kubectl where they are allowed"}`},
	} {
		status, answer := w.post(step.path, step.body)
		if status != step.status || strings.TrimSuffix(answer, "\n") != strings.TrimSuffix(step.answer, "\n") {
			t.Errorf("step %d: POST %s %s: %d %q, want %d %q", i, step.path, step.body, status, answer, step.status, step.answer)
		}
	}
	for path, want := range map[string]int{"/gate/approve": 200, "/gate/halt": 403} {
		if status, _, _ := w.ask(http.MethodGet, path, ""); status != want {
			t.Errorf("GET %s: %d", path, status)
		}
	}
}

func TestBadRequestsAreRefusedWithASentence(t *testing.T) {
	w := newWorld(t, nil, func(c *Config) {
		c.Namespaces = []string{"test", "kube-system"}
		c.Allow = func(_ *http.Request, about types.NamespacedName) error {
			if about.Namespace != "test" {
				return &Error{http.StatusUnauthorized, "this needs a token"}
			}
			return nil
		}
	}).run()
	everywhere := []struct {
		name, body string
		status     int
		says       string
	}{
		{"nothing", "", 400, "no JSON object"},
		{"no JSON", "name=podinfo", 400, "no JSON object"},
		{"an array", `[{"name":"podinfo","namespace":"test"}]`, 400, "no JSON object"},
		{"null", "null", 400, "no JSON object"},
		{"half of one", `{"name":"podinfo"`, 400, "no payload"},
		{"two", hook("x") + hook("x"), 400, "no payload"},
		{"garbage behind", hook("x") + "]", 400, "no payload"},
		{"no UTF-8", "{\"name\":\"pod\xffinfo\",\"namespace\":\"test\"}", 400, "not UTF-8"},
		{"deep", `{"name":"podinfo","namespace":"test","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}", 400, "deeper than 32"},
		{"bottomless", strings.Repeat(`{"a":`, 100_000), 400, "deeper than 32"},
		{"large", `{"name":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "1048576 bytes at most"},
		{"a number for a name", `{"name":1,"namespace":"test"}`, 400, "no payload"},
		{"metadata that is no text", `{"name":"podinfo","namespace":"test","metadata":{"cmd":["hey"]}}`, 400, "no payload"},
		{"no name", `{"namespace":"test"}`, 400, "name the Canary"},
		{"no namespace", `{"name":"podinfo"}`, 400, "name the Canary's"},
		{"a path for a name", `{"name":"../x","namespace":"test"}`, 400, "name the Canary"},
		{"a path for a namespace", `{"name":"podinfo","namespace":"a/b"}`, 400, "name the Canary's"},
		{"a namespace with a dot", `{"name":"podinfo","namespace":"a.b"}`, 400, "name the Canary's"},
		{"capitals", `{"name":"Podinfo","namespace":"test"}`, 400, "name the Canary"},
		{"a name with a line break", `{"name":"podinfo\n","namespace":"test"}`, 400, "name the Canary"},
		{"a long name", `{"name":"` + strings.Repeat("a", 300) + `","namespace":"test"}`, 400, "name the Canary"},
		{"another namespace", `{"name":"podinfo","namespace":"prod","metadata":{"cmd":"x"}}`, 403, "namespace prod is not served"},
		{"one that others guard", `{"name":"podinfo","namespace":"kube-system","metadata":{"cmd":"x"}}`, 401, "needs a token"},
	}
	paths := []string{"/", "/gate/check", "/gate/open", "/gate/close", "/rollback/check", "/rollback/open", "/rollback/close"}
	for _, path := range paths {
		for _, tc := range everywhere {
			if status, answer := w.post(path, tc.body); status != tc.status || !strings.Contains(answer, tc.says) {
				t.Errorf("%s, %s: %d %.200s, want %d with %q", path, tc.name, status, answer, tc.status, tc.says)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
			if status, _, _ := w.ask(method, path, hook("x")); status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, status)
			}
		}
	}
	for _, path := range []string{"/gate", "/gate/", "/gate/open/", "/gate/Open", "/gate%2fopen", "/gate/..%2fgate/open", "/gate/open%00", "/rollback/approve", "/rollback/halt", "/hey", "/%2e%2e/"} {
		if status, _ := w.post(path, hook("x")); status != http.StatusNotFound {
			t.Errorf("POST %s: %d", path, status)
		}
	}
	if len(w.gates.open) > 0 || len(w.asked) > 0 || w.ends("hey", resultDone) > 0 {
		t.Errorf("something came of it: gates %v, %d requests", w.gates.open, len(w.asked))
	}
}

// unread is a body that must not be read.
type unread struct{ *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.Error("the body was read")
	return 0, io.EOF
}

// Who may not enter is refused before the body is read, on every path that has one.
func TestBodiesOfStrangersAreNotRead(t *testing.T) {
	w := newWorld(t, nil, func(c *Config) {
		c.Enter = func(*http.Request) error { return &Error{http.StatusUnauthorized, "this needs a token"} }
	})
	for _, path := range []string{"/gate/check", "/gate/open", "/gate/close", "/rollback/check", "/"} {
		_, err := w.read(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, path, unread{t}))
		if refused, _ := errors.AsType[*Error](err); refused == nil || refused.Status != http.StatusUnauthorized {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// unavailable is a body for which there is no room; its error is the answer.
type unavailable struct{ closed int }

func (*unavailable) Read([]byte) (int, error) {
	return 0, refuse(http.StatusServiceUnavailable, "busy")
}
func (u *unavailable) Close() error { u.closed++; return nil }

func TestBodiesAreClosedAndTheirErrorsAreTheAnswer(t *testing.T) {
	w := newWorld(t, nil, nil)
	body := new(unavailable)
	r := httptest.NewRequest(http.MethodPost, "/", body)
	_, err := w.read(httptest.NewRecorder(), r)
	if refused, _ := errors.AsType[*Error](err); refused == nil || refused.Status != http.StatusServiceUnavailable || body.closed == 0 {
		t.Errorf("%v, closed %d times", err, body.closed)
	}
}

func TestUnknownFieldsAreFlaggersBusiness(t *testing.T) {
	w := newWorld(t, nil, nil).run()
	if status, answer := w.post("/gate/open", `{"name":"podinfo","namespace":"test","canaryWeight":10,"more":{"deep":[1,{"a":"]]]]\"{{{{"}]},"metadata":null}`); status != 202 {
		t.Errorf("%d %s", status, answer)
	}
}

func TestGatesAreBounded(t *testing.T) {
	g := NewGates()
	gate := func(i int) Gate {
		return Gate{Canary: types.NamespacedName{Namespace: "test", Name: fmt.Sprintf("c%d", i)}}
	}
	for i := range maxGates {
		if err := g.Open(gate(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Open(gate(maxGates)); err == nil || g.IsOpen(gate(maxGates)) {
		t.Error("one more was opened")
	}
	if err := g.Open(gate(7)); err != nil {
		t.Errorf("one that is open: %v", err)
	}
	for i := range 2 * maxGates { // asking and closing keeps nothing
		g.IsOpen(gate(i + 1))
		g.Close(gate(i + 1))
	}
	if len(g.open) != 1 || g.IsOpen(gate(1)) || !g.IsOpen(gate(0)) {
		t.Errorf("%d are open", len(g.open))
	}
	if err := g.Open(gate(maxGates)); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

func TestNothingStartsBeforeAndAfter(t *testing.T) {
	w := newWorld(t, nil, nil)
	const cmd = "hey -z 10ms -c 1 -q 100 http://podinfo.test/"
	if status, answer := w.post("/", hook(cmd)); status != http.StatusServiceUnavailable {
		t.Errorf("before: %d %s", status, answer)
	}
	w.run()
	w.load(cmd)
	w.stopped()
	if status, answer := w.post("/", hook(cmd)); status != http.StatusServiceUnavailable || !strings.Contains(answer, "stopping") {
		t.Errorf("after: %d %s", status, answer)
	}
	if status, _ := w.post("/gate/check", hook("")); status != 403 {
		t.Errorf("gates: %d", status)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for _, c := range []Config{
		{AllowTargets: []string{"*"}}, {AllowTargets: []string{"*."}}, {AllowTargets: []string{"a.*"}}, {AllowTargets: []string{""}},
		{AllowTargets: []string{"http://a"}}, {AllowTargets: []string{"a:80"}}, {AllowTargets: []string{"A"}},
		{MaxRate: -1}, {ExecTimeout: -1},
		{AllowExec: []string{"bash"}}, {AllowExec: []string{"sh"}}, {AllowExec: []string{"Env"}}, {AllowExec: []string{"/bin/sh"}}, {AllowExec: []string{"ls"}}, {AllowExec: []string{""}},
		{AllowExec: []string{".."}}, {AllowExec: []string{"hey"}}, {AllowExec: []string{"there-is-no-such-program"}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestUnreadyCacheIsNobodysFault(t *testing.T) {
	w := newWorld(t, nil, nil).run()
	w.move(nil, errors.New("the cache is not filled yet"))
	if status, answer := w.post("/", hook("hey http://podinfo.test/")); status != 503 || !strings.Contains(answer, "cache") {
		t.Errorf("%d %s", status, answer)
	}
}

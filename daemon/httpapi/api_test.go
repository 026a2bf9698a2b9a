package httpapi

import (
	"bufio"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Each answer of the API is as openapi.yaml says.
func TestAnswersAreAsDescribed(t *testing.T) {
	d := readDescription(t)
	s := newServer(t)
	fault := `{"namespace": "test", "name": "podinfo", "percent": 30, "delay": {"kind": "uniform", "minMs": 1, "maxMs": 5}, "duration": "1m"}`
	added := s.ask(inside("POST", "/api/v1/faults", fault))
	id := decode[struct{ ID string }](t, added).ID
	for _, tc := range []struct {
		request *http.Request
		status  int
		says    string
	}{
		{inside("GET", "/api/v1/canaries", ""), 200, `"name":"shop"`},
		{inside("GET", "/api/v1/canaries/test/podinfo", ""), 200, `"New revision detected!"`},
		{outside("GET", "/api/v1/canaries/prod/shop", ""), 200, `"commands":[]`},
		{outside("GET", "/api/v1/canaries/prod/shop", ""), 200, `"weightPercent":0,"traffic":[],"failedChecks"`}, // and no weight is wanted
		{inside("GET", "/api/v1/canaries/test/podinfo", ""), 200,
			`"weightPercent":10,"traffic":[{"revision":"podinfo-00001","tag":"primary","percent":90},{"revision":"podinfo-00002","tag":"canary","percent":10}],"wantedWeightPercent":10,"failedChecks"`},
		{inside("GET", "/api/v1/canaries/test/changed", ""), 200, `{"revision":"changed-00002","percent":5},{"revision":"changed-00001","tag":"mine","percent":0}],` +
			`"trafficApplied":{"status":"False","message":"spec.traffic of service test/changed was changed by kubectl-edit","since":"2026-01-02T03:04:05Z"}`},
		{inside("GET", "/api/v1/canaries/test/changed", ""), 200, `"commands":["retry","rollback"]`},
		{inside("POST", "/api/v1/canaries/test/changed/rollback?for=changed-00003", ""), 202, `"message":"Told changed to roll back."`},
		{inside("POST", "/api/v1/canaries/test/changed/rollback?for=changed-00002", ""), 409, "this was for changed-00002, and changed is at changed-00003 now"},
		{inside("POST", "/api/v1/canaries/prod/shop/rollback", ""), 409, "cannot roll back prod/shop: no revision that was promoted earlier is left to go back to"},
		{inside("GET", "/api/v1/canaries/test/other", ""), 404, "there is no Canary test/other in the namespaces that this daemon serves"},
		{inside("GET", "/api/v1/canaries/test/podinfo/histograms", ""), 200, "Histogram log format version 1.3"},
		{inside("GET", "/api/v1/canaries/prod/shop/histograms", ""), 404, "has seen no rollout of prod/shop yet"},
		{inside("GET", "/api/v1/canaries/test/podinfo/report", ""), 200, "podinfo-00002"},
		{inside("GET", "/api/v1/canaries/prod/shop/report", ""), 404, "has seen no rollout"},
		{inside("GET", "/api/v1/canaries/test/podinfo/reports", ""), 200, `{"reports":["20260102T030405Z.podinfo-00001"]}`},
		{inside("GET", "/api/v1/canaries/test/podinfo/reports/20260102T030405Z.podinfo-00001", ""), 200, "<!doctype html>"},
		{inside("GET", "/api/v1/canaries/test/podinfo/reports/planted", ""), 403, "somebody else has written it"},
		{inside("GET", "/api/v1/canaries/test/podinfo/reports/other", ""), 404, "there is no such report"},
		{inside("GET", "/api/v1/canaries/test/other/stream", ""), 404, "no Canary"},
		{inside("POST", "/api/v1/canaries/test/podinfo/promote", ""), 202, `"annotation":"serin.dev/promote"`},
		{inside("POST", "/api/v1/canaries/test/podinfo/pause", ""), 202, `"value":"true"`},
		{inside("POST", "/api/v1/canaries/test/podinfo/abort?for=podinfo-00001", ""), 409, "this was for podinfo-00001, and podinfo is at podinfo-00002 now"},
		{inside("POST", "/api/v1/canaries/test/podinfo/retry", ""), 409, "cannot retry test/podinfo: there is no failed revision to try again: the phase is Progressing"},
		{inside("POST", "/api/v1/canaries/test/other/promote", ""), 404, "no Canary"},
		{outside("POST", "/api/v1/canaries/test/podinfo/promote", ""), 401, "needs a bearer token"},
		{inside("GET", "/api/v1/faults", ""), 200, id},
		{inside("GET", "/api/v1/faults?namespace=prod&name=shop", ""), 200, `{"faults":[]}`},
		{inside("GET", "/api/v1/faults?namespace=prod", ""), 200, `{"faults":[]}`},
		{inside("GET", "/api/v1/faults?namespace=test", ""), 200, id},
		{inside("GET", "/api/v1/faults?name=podinfo", ""), 400, "give the namespace"},
		{inside("GET", "/api/v1/faults/"+id, ""), 200, `"percent":30`},
		{inside("GET", "/api/v1/faults/none", ""), 404, "there is no such fault"},
		{inside("POST", "/api/v1/faults", `{"namespace": "test"}`), 400, "is none: name the Canary; give exactly one of"},
		{inside("POST", "/api/v1/faults", `{"namespace": "test", "name": "other", "reset": true}`), 404, "no Canary test/other"},
		{outside("POST", "/api/v1/faults", fault), 401, "needs a bearer token"},
		{outside("DELETE", "/api/v1/faults/"+id, ""), 401, "needs a bearer token"},
		{inside("DELETE", "/api/v1/faults/"+id, ""), 200, `{"ended":1}`},
		{inside("DELETE", "/api/v1/faults/"+id, ""), 404, "no such fault"},
		{inside("DELETE", "/api/v1/faults", ""), 200, `{"ended":0}`},
		{outside("DELETE", "/api/v1/faults", ""), 401, "in all namespaces"},
	} {
		got := s.ask(tc.request)
		if got.Code != tc.status || !strings.Contains(got.Body.String(), tc.says) {
			t.Errorf("%s %s: %d %.300s, want %d with %q", tc.request.Method, tc.request.URL, got.Code, got.Body, tc.status, tc.says)
		}
		d.check(t, tc.request, got)
	}
	d.check(t, inside("POST", "/api/v1/faults", ""), added)
	if len(s.said) != 2 || !strings.HasPrefix(s.said[0], "Drill: 30% of Serin's requests to the canary revision of podinfo.test are delayed by 1ms to 5ms for 1m0s") {
		t.Errorf("faults said %q", s.said)
	}
}

// Somebody else's Canary is not there: it is in no list, and nothing is done to it.
func TestCanaryOfSomebodyElseIsNotThere(t *testing.T) {
	s := newServer(t)
	mesh := s.cluster.canaries[0].DeepCopy()
	mesh.Name, mesh.Spec.Provider = "mesh", "istio"
	deployment := s.cluster.canaries[0].DeepCopy()
	deployment.Name, deployment.Spec.TargetRef.Kind = "deployment", "Deployment"
	s.cluster.canaries = append([]*v1beta1.Canary{mesh}, append(s.cluster.canaries, deployment)...)
	for _, path := range []string{"/api/v1/canaries", "/"} {
		got := s.ask(inside("GET", path, ""))
		if text := got.Body.String(); got.Code != 200 || !strings.Contains(text, "podinfo") || !strings.Contains(text, "shop") || strings.Contains(text, "mesh") || strings.Contains(text, "deployment") {
			t.Errorf("%s: %d %s", path, got.Code, text)
		}
	}
	for _, name := range []string{"mesh", "deployment"} {
		for _, path := range []string{"", "/stream", "/histograms", "/report", "/reports", "/reports/20260102T030405Z.podinfo-00001"} {
			if got := s.ask(inside("GET", "/api/v1/canaries/test/"+name+path, "")); got.Code != 404 || !strings.Contains(got.Body.String(), "there is no Canary test/"+name) {
				t.Errorf("%s%s: %d %s", name, path, got.Code, got.Body)
			}
		}
		for _, path := range []string{"", "/live"} {
			if got := s.ask(inside("GET", "/canaries/test/"+name+path, "")); got.Code != 404 {
				t.Errorf("page %s%s: %d %s", name, path, got.Code, got.Body)
			}
		}
		for path, body := range map[string]string{"canaries/test/" + name + "/promote": "", "canaries/test/" + name + "/pause": "", "faults": `{"namespace": "test", "name": "` + name + `", "reset": true}`} {
			if got := s.ask(inside("POST", "/api/v1/"+path, body)); got.Code != 404 {
				t.Errorf("%s of %s: %d %s", path, name, got.Code, got.Body)
			}
		}
	}
	if len(s.cluster.patches) > 0 || len(s.said) > 0 {
		t.Errorf("written %q, said %q", s.cluster.patches, s.said)
	}
}

// A command is an annotation that names the revision that is seen.
func TestCommandsAnnotate(t *testing.T) {
	s := newServer(t)
	for _, command := range []string{"promote", "abort", "pause", "rollback"} {
		r := outside("POST", "/api/v1/canaries/test/podinfo/"+command, "for=podinfo-00002")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Bearer good")
		if got := s.ask(r); got.Code != http.StatusAccepted {
			t.Errorf("%s: %d %s", command, got.Code, got.Body)
		}
	}
	for i, want := range []string{
		`podinfo {"metadata":{"annotations":{"serin.dev/promote":"podinfo-00002/2`,
		`podinfo {"metadata":{"annotations":{"serin.dev/abort":"podinfo-00002/2`,
		`podinfo {"metadata":{"annotations":{"serin.dev/pause":"true"}}}`,
		`podinfo {"metadata":{"annotations":{"serin.dev/rollback":"podinfo-00002/2`,
	} {
		if i >= len(s.cluster.patches) || !strings.HasPrefix(s.cluster.patches[i], want) {
			t.Errorf("patches %q, want %s", s.cluster.patches, want)
		}
	}
}

func TestResumeTakesTheAnnotationAway(t *testing.T) {
	s := newServer(t)
	s.cluster.canaries[0].Annotations = map[string]string{v1beta1.PauseAnnotation: "true"}
	got := s.ask(inside("POST", "/api/v1/canaries/test/podinfo/resume", ""))
	if got.Code != http.StatusAccepted || len(s.cluster.patches) != 1 || s.cluster.patches[0] != `podinfo {"metadata":{"annotations":{"serin.dev/pause":null}}}` {
		t.Errorf("%d %s, patches %q", got.Code, got.Body, s.cluster.patches)
	}
}

// A browser without JavaScript is sent back to the page.
func TestFormLeadsBackToThePage(t *testing.T) {
	s := newServer(t)
	r := inside("POST", "/api/v1/canaries/test/podinfo/pause", "")
	r.Header.Set("Accept", "text/html,*/*")
	if got := s.ask(r); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/canaries/test/podinfo" {
		t.Errorf("%d to %s", got.Code, got.Header().Get("Location"))
	}
}

// What strangers may send to what changes something.
func TestStrangersChangeNothing(t *testing.T) {
	s := newServer(t)
	with := func(r *http.Request, name, value string) *http.Request {
		r.Header.Set(name, value)
		return r
	}
	const promote = "/api/v1/canaries/test/podinfo/promote"
	for name, tc := range map[string]struct {
		request *http.Request
		status  int
		says    string
	}{
		"a page of another origin":           {with(inside("POST", promote, ""), "Origin", "http://evil.example"), 403, "page of another origin"},
		"a page of another site":             {with(inside("POST", promote, ""), "Sec-Fetch-Site", "cross-site"), 403, "page of another origin"},
		"a name that points to loopback":     {from(outside("POST", promote, ""), "127.0.0.1:1", "127.0.0.1:8080"), 403, "over loopback this is localhost"},
		"that name, only to look":            {from(outside("GET", "/", ""), "127.0.0.1:1", "127.0.0.1:8080"), 403, "over loopback this is localhost"},
		"no token":                           {outside("POST", promote, ""), 401, "bearer token"},
		"a wrong token":                      {with(outside("POST", promote, ""), "Authorization", "Bearer bad"), 401, "does not know this token"},
		"a token for another namespace":      {with(outside("DELETE", "/api/v1/faults?namespace=prod&name=shop", ""), "Authorization", "Bearer good"), 403, "may not patch canaries.flagger.app prod/shop"},
		"a command by GET":                   {inside("GET", promote, ""), 405, "does not answer GET"},
		"a command that there is not":        {inside("POST", "/api/v1/canaries/test/podinfo/delete", ""), 404, "there is no"},
		"a name with a path in it":           {inside("POST", "/api/v1/canaries/test/..%2f..%2fpodinfo/promote", ""), 404, "there is no"},
		"a namespace in upper case":          {inside("POST", "/api/v1/canaries/TEST/podinfo/promote", ""), 404, "there is no"},
		"a report with a path in it":         {inside("GET", "/api/v1/canaries/test/podinfo/reports/..%2f..%2fetc", ""), 404, "there is no"},
		"a body that is too large":           {inside("POST", "/api/v1/faults", `{"pathPrefix": "`+strings.Repeat("x", 2<<20)+`"}`), 413, "1048576 bytes at most"},
		"a form that is too large":           {with(inside("POST", promote, "for="+strings.Repeat("x", 2<<20)), "Content-Type", "application/x-www-form-urlencoded"), 413, "bytes at most"},
		"a form that is none":                {with(inside("POST", promote, "%zz"), "Content-Type", "application/x-www-form-urlencoded"), 400, "invalid URL escape"},
		"a fault that is no text":            {inside("POST", "/api/v1/faults", "\xff\xfe"), 400, "the body is no fault"},
		"a fault for a place outside":        {inside("POST", "/api/v1/faults", `{"namespace": "kube-system", "name": "podinfo", "reset": true}`), 404, "no Canary kube-system/podinfo"},
		"a fault by PUT":                     {inside("PUT", "/api/v1/faults", ""), 405, "does not answer PUT"},
		"an unknown method":                  {inside("BREW", "/api/v1/canaries", ""), 405, "does not answer BREW"},
		"a page of a Canary that is not":     {inside("GET", "/canaries/test/other", ""), 404, "no Canary"},
		"a stream of a Canary that is not":   {inside("GET", "/canaries/test/other/live", ""), 404, "no Canary"},
		"a page with a script for its name":  {inside("GET", "/canaries/test/%3Cscript%3E", ""), 404, "there is no"},
		"the description, posted":            {inside("POST", "/api/v1/openapi.yaml", ""), 405, "does not answer POST"},
		"a Canary with a trailing slash":     {inside("GET", "/api/v1/canaries/", ""), 404, "there is no"},
		"faults of a namespace with a slash": {with(outside("DELETE", "/api/v1/faults?namespace=test/podinfo", ""), "Authorization", "Bearer good"), 400, "must be a DNS label"},
		"faults of a name with a slash":      {with(outside("DELETE", "/api/v1/faults?namespace=test&name=a/b", ""), "Authorization", "Bearer good"), 400, "must be a DNS subdomain"},
		"through a proxy in the pod":         {with(inside("POST", promote, ""), "X-Forwarded-For", "10.9.9.9"), 401, "it has the header X-Forwarded-For"},
		"a fault through a proxy in the pod": {with(inside("POST", "/api/v1/faults", "{}"), "Via", "1.1 proxy"), 401, "it has the header Via"},
		"a token behind two spaces":          {with(outside("POST", promote, ""), "Authorization", "Bearer  good"), 401, "bearer token"},
		"faults of half a Canary, to be all": {inside("DELETE", "/api/v1/faults?name=podinfo", ""), 400, "give the namespace"},
	} {
		got := s.ask(tc.request)
		if got.Code != tc.status || !strings.Contains(got.Body.String(), tc.says) {
			t.Errorf("%s: %d %.200s, want %d with %q", name, got.Code, got.Body, tc.status, tc.says)
		}
	}
	if len(s.cluster.patches) > 0 || len(s.said) > 0 {
		t.Errorf("patches %q, faults said %q", s.cluster.patches, s.said)
	}
}

// Faults would not act in a daemon that sends no load.
func TestFaultsAreTheWorkingDaemons(t *testing.T) {
	s := newServer(t)
	s.working = false
	got := s.ask(inside("POST", "/api/v1/faults", `{"namespace": "test", "name": "podinfo", "reset": true}`))
	if got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), "stands by") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestPagesAreServed(t *testing.T) {
	s := newServer(t)
	for path, want := range map[string]string{
		"/":                      "podinfo",
		"/canaries/test/podinfo": "podinfo-00002",
		"/canaries/prod/shop":    "shop",
		"/canaries/test/changed": "Traffic is not as decided",
		"/assets/serin.css":      "{",
		"/assets/serin.js":       "EventSource",
	} {
		got := s.ask(outside("GET", path, ""))
		if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s: %d %.200s", path, got.Code, got.Body)
		}
		if got.Header().Get("Content-Security-Policy") == "" || got.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, got.Header())
		}
	}
}

// A page may do what it needs, and no more. Only pages with buttons send forms, and
// a report is nobody's page, whatever is in it.
func TestEachPageMayDoWhatItNeeds(t *testing.T) {
	const none, self = "'none'", "'self'"
	s := newServer(t)
	for path, want := range map[string]map[string]string{
		"/":                                    {"form-action": self, "script-src": self, "sandbox": "-"},
		"/canaries/test/podinfo":               {"form-action": self, "script-src": self, "sandbox": "-"},
		"/api/v1/canaries/test/podinfo/report": {"form-action": none, "script-src": "-", "sandbox": "", "style-src": "'unsafe-inline'", "img-src": "data:"},
		"/api/v1/canaries/test/podinfo/reports/20260102T030405Z.podinfo-00001": {"form-action": none, "script-src": "-", "sandbox": "", "style-src": "'unsafe-inline'"},
		"/api/v1/canaries/test/podinfo/reports/planted":                        {"form-action": none, "sandbox": ""},
		"/api/v1/canaries/test/podinfo":                                        {"form-action": none, "script-src": "-", "sandbox": "", "style-src": "-"},
		"/api/v1/openapi.yaml":                                                 {"form-action": none, "sandbox": ""},
		"/nowhere":                                                             {"form-action": none, "sandbox": ""},
	} {
		policies := s.ask(outside("GET", path, "")).Header().Values("Content-Security-Policy")
		if len(policies) != 1 {
			t.Errorf("%s: policies %q", path, policies)
			continue
		}
		got := map[string]string{}
		for directive := range strings.SplitSeq(policies[0], ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
			got[name] = value
		}
		maps.Copy(want, map[string]string{"default-src": none, "base-uri": none, "frame-ancestors": none})
		for name, value := range want {
			if have, ok := got[name]; ok != (value != "-") || ok && have != value {
				t.Errorf("%s: %s is %q (%v), want %q", path, name, have, ok, value)
			}
		}
	}
}

// readEvents reads the first n events of a stream.
func readEvents(t *testing.T, url string, n int) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it does not end by itself
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("%s is %d %s", url, resp.StatusCode, kind)
	}
	var all strings.Builder
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for n > 0 && lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if lines.Text() == "" {
			n--
		}
	}
	return all.String()
}

func TestStreamsSayWhatIs(t *testing.T) {
	address := newServer(t).serve(t)
	got := readEvents(t, "http://"+address+"/api/v1/canaries/test/podinfo/stream", 2)
	if strings.Count(got, "event: canary\ndata: {") != 2 || !strings.Contains(got, `"weightPercent":10`) {
		t.Errorf("stream %s", got)
	}
	for _, path := range []string{"/live", "/canaries/test/podinfo/live"} {
		if got := readEvents(t, "http://"+address+path, 1); !strings.HasPrefix(got, `data: {"`) {
			t.Errorf("%s: %.200s", path, got)
		}
	}
}

// A thousand people may watch: what each of them costs is a connection.
func TestManyStreamsAreCheap(t *testing.T) {
	address := newServer(t).serve(t)
	before := heap()
	const clients = 1000
	for range clients {
		resp, err := http.Get("http://" + address + "/canaries/test/podinfo/live")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	// The clients are in here too, which makes it twice as much.
	if used := heap() - before; used > 100<<20 {
		t.Errorf("%d streams and their clients take %d MB", clients, used>>20)
	} else {
		t.Logf("%d streams and their clients take %.1f MB", clients, float64(used)/(1<<20))
	}
}

// heap is what is in use after a collection, stacks included.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

package hook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/rollout"
)

const (
	defaultTimeout = 10 * time.Second // of one try, Flagger's
	firstPause     = 500 * time.Millisecond
	longestPause   = 30 * time.Second
	mostRead       = 1 << 10  // bytes of an answer
	mostTold       = 200      // characters of it
	mostHeader     = 64 << 10 // bytes
)

// payload is what Flagger posts.
type payload struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Phase     string            `json:"phase"`
	Checksum  string            `json:"checksum"`
	Metadata  map[string]string `json:"metadata"`
}

// checksum tells revisions apart, of whatever occasions.
func checksum(occasion string) string {
	revision, _, _ := strings.Cut(occasion, "/")
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(revision)) // never fails
	return fmt.Sprintf("%08x", sum.Sum32())
}

// poster posts, with and without verifying certificates.
type poster struct {
	verifying, trusting *http.Transport
	slots               chan struct{} // one for each try under way
}

func newPoster(policy egress.Policy) *poster {
	dialer := policy.Dialer("hooks")
	transport := func(insecure bool) *http.Transport {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext, t.Proxy = dialer.DialContext, dialer.Proxy(http.ProxyFromEnvironment)
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: insecure} // where the hook says disableTLS
		t.MaxIdleConnsPerHost, t.IdleConnTimeout = 2, 30*time.Second
		t.MaxResponseHeaderBytes = mostHeader
		return t
	}
	return &poster{verifying: transport(false), trusting: transport(true), slots: make(chan struct{}, atOnce)}
}

func (p *poster) close() {
	p.verifying.CloseIdleConnections()
	p.trusting.CloseIdleConnections()
}

// reply is an answer, or why there is none.
type reply struct {
	rollout.Answer
	refused bool // by egress
}

// post posts to a hook until it answers, or its retries are used up.
func (p *poster) post(ctx context.Context, hook *v1beta1.Webhook, body payload) reply {
	content, err := json.Marshal(body)
	if err != nil {
		return reply{Answer: rollout.Answer{Message: err.Error()}}
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(content))
	if err != nil {
		return reply{Answer: rollout.Answer{Message: explain(err, 0)}}
	}
	request.Header.Set("Content-Type", "application/json")
	timeout := timeoutOf(hook)
	response, err := p.client(hook, timeout).Do(request)
	if err != nil {
		_, refused := errors.AsType[*egress.Refusal](err)
		return reply{rollout.Answer{Message: explain(err, timeout)}, refused}
	}
	defer func() { _ = response.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(response.Body, mostRead)) // what came is enough
	message := clean([]byte(response.Status))                      // whose text is a stranger's too
	if text := clean(said); text != "" {
		message += ": " + text
	}
	return reply{Answer: rollout.Answer{Passed: response.StatusCode/100 == 2, Message: message}}
}

func (p *poster) client(hook *v1beta1.Webhook, timeout time.Duration) *retryablehttp.Client {
	transport := p.verifying
	if hook.DisableTLS {
		transport = p.trusting
	}
	retries := 0
	if hook.Retries != nil {
		retries = int(*hook.Retries)
	}
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     &limited{to: transport, slots: p.slots, timeout: timeout},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax: retries, RetryWaitMin: firstPause, RetryWaitMax: longestPause,
		CheckRetry: again, Backoff: pause,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// again reports whether there is use in another try: an address that was refused
// is refused again.
func again(ctx context.Context, response *http.Response, err error) (bool, error) {
	if _, refused := errors.AsType[*egress.Refusal](err); refused {
		return false, nil
	}
	return retryablehttp.DefaultRetryPolicy(ctx, response, err)
}

// timeoutOf is the timeout of one try. net/http takes 0 for none, with which a
// hook that is silent would keep its slot for good.
func timeoutOf(hook *v1beta1.Webhook) time.Duration {
	if timeout := hook.Timeout.OrDefault(defaultTimeout); timeout > 0 {
		return timeout
	}
	return defaultTimeout
}

// pause is the time before another try. DefaultBackoff waits as long as the
// server asks for with Retry-After, be it a day.
func pause(least, most time.Duration, try int, response *http.Response) time.Duration {
	return min(retryablehttp.DefaultBackoff(least, most, try, response), most)
}

// explain says what went wrong, without the address that the event has already.
func explain(err error, timeout time.Duration) string {
	if refusal, ok := errors.AsType[*egress.Refusal](err); ok {
		return clean([]byte(refusal.Error()))
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", timeout)
	}
	return clean([]byte(err.Error()))
}

// clean makes one short line of whatever a stranger sends.
func clean(text []byte) string {
	printable := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(text), " "))
	line := []rune(strings.Join(strings.Fields(printable), " "))
	if len(line) > mostTold {
		return string(line[:mostTold-1]) + "…"
	}
	return string(line)
}

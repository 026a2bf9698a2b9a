package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/daemon/egress"
)

const (
	// tryTimeout bounds one try, with the reading of the provider.
	tryTimeout = 5 * time.Second
	// maxAnswer and maxShown bound what is read of an answer, and logged.
	maxAnswer = 16 << 10
	maxShown  = 200
)

// proxyKey is the key of a request's context for the *url.URL of its proxy.
type proxyKey struct{}

// newTransport returns a transport that asks each request for its proxy. One
// for all keeps idle connections countable.
func newTransport() *http.Transport {
	return &http.Transport{Proxy: proxyOf, MaxIdleConns: 10, IdleConnTimeout: 30 * time.Second}
}

// newGuardedTransport is for addresses and proxies that AlertProviders name. It
// shares no connection with the global provider's, which may go where these
// must not.
func newGuardedTransport(policy egress.Policy) *http.Transport {
	t, dialer := newTransport(), policy.Dialer("alerts")
	t.DialContext, t.Proxy = dialer.DialContext, dialer.Proxy(proxyOf)
	return t
}

func proxyOf(r *http.Request) (*url.URL, error) {
	if proxy, ok := r.Context().Value(proxyKey{}).(*url.URL); ok {
		return proxy, nil
	}
	return http.ProxyFromEnvironment(r)
}

// noRedirect has redirects returned as answers: most would turn the message
// into an empty GET, and none should carry it to another host.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// try sends a message once.
func (a *Alerts) try(ctx context.Context, to destination, j *job) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	p, err := a.provider(ctx, to)
	if err != nil {
		return err
	}
	return a.post(ctx, p, j)
}

// client is the one that may go where a provider is.
func (a *Alerts) client(p *Provider) *http.Client {
	if p == a.config.Global {
		return a.global
	}
	return a.http
}

func (a *Alerts) post(ctx context.Context, p *Provider, j *job) error {
	request, err := newRequest(ctx, p, j)
	if err != nil {
		return err
	}
	response, err := a.client(p).Do(request)
	if refusal, ok := errors.AsType[*egress.Refusal](err); ok {
		return refusal // is refused again, and says nothing of paths and tokens
	}
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the rest of it is the address
		}
		return temporary{error: errors.New("post: " + p.redact(err.Error()))}
	}
	defer func() { _ = response.Body.Close() }()
	// What cannot be read is not shown; the status has been.
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode/100 == 2 {
		return p.heed(answer)
	}
	err = fmt.Errorf("the provider answered %d %s", response.StatusCode, p.show(answer))
	if response.StatusCode == http.StatusTooManyRequests || response.StatusCode/100 == 5 {
		return temporary{err, retryAfter(response.Header.Get("Retry-After"), time.Now())}
	}
	return err
}

func newRequest(ctx context.Context, p *Provider, j *job) (*http.Request, error) {
	target, err := p.target()
	if err != nil {
		return nil, err
	}
	if p.Proxy != "" {
		proxy, err := url.Parse(p.Proxy)
		if err != nil {
			return nil, errors.New("the proxy's address cannot be read")
		}
		ctx = context.WithValue(ctx, proxyKey{}, proxy)
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(payload(p, target, j)); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), &body)
	if err != nil {
		return nil, errors.New("the address cannot be used") // the error repeats it
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "serin")
	if p.Token != "" {
		request.Header.Set("Authorization", "Bearer "+p.Token)
	}
	return request, nil
}

// heed finds the errors that Slack's API reports under status 200.
func (p *Provider) heed(answer []byte) error {
	if p.Token == "" {
		return nil
	}
	var said struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.OK == nil || *said.OK {
		return nil //nolint:nilerr // not the API's form, so a webhook's plain ok
	}
	err := fmt.Errorf("slack answered %s", p.show([]byte(said.Error)))
	if slices.Contains([]string{"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"}, said.Error) {
		return temporary{error: err}
	}
	return err
}

// retryAfter reads the header of that name: seconds or a date. 0 when it is
// missing or says nothing.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(max(seconds, 0), int(longestPause/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// show is an answer for the log: one line, short, without secrets.
func (p *Provider) show(answer []byte) string {
	text := strings.Join(strings.Fields(p.redact(strings.ToValidUTF8(string(answer), "?"))), " ")
	if shown := []rune(text); len(shown) > maxShown {
		text = string(shown[:maxShown]) + "..."
	}
	return strconv.Quote(text)
}

// redact hides the token and each part of the address and the proxy's that
// could be a secret: some servers repeat what they were asked for.
func (p *Provider) redact(text string) string {
	const shortest = 6 // what is shorter is no secret, and part of many words
	secrets := []string{p.Token}
	for _, address := range []string{p.Address, p.Proxy} {
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		password, _ := u.User.Password()
		secrets = append(secrets, password, u.User.Username())
		secrets = append(secrets, strings.Split(u.Path, "/")...)
		secrets = append(secrets, strings.Split(u.EscapedPath(), "/")...)
		secrets = append(secrets, strings.FieldsFunc(u.RawQuery, func(r rune) bool { return r == '&' || r == '=' })...)
		for _, values := range u.Query() {
			secrets = append(secrets, values...)
		}
	}
	// The longest first: another may be a part of it.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}

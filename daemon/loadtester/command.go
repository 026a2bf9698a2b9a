package loadtester

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"github.com/serin-dev/serin/loadgen"
)

const (
	// maxDuration of a load.
	maxDuration = time.Hour
	// maxConnections of a load.
	maxConnections = 1000
)

// load is what a command asks for: plain data.
type load struct {
	kind    string // hey, wrk or ghz
	url     *url.URL
	host    string // asked for instead of the URL's; empty for that
	plan    loadgen.Plan
	request loadgen.Request
	// rate in requests a second; +Inf for as fast as it goes.
	rate float64
}

// split takes a command line apart, as a shell does that does nothing else.
func split(command string) ([]string, error) {
	if found := shellSyntax(command); found != "" {
		return nil, fmt.Errorf("this is not a shell: %s means nothing here; put it in single quotes if it belongs to an argument", found)
	}
	words, err := shellquote.Split(command)
	if err != nil {
		return nil, fmt.Errorf("the command cannot be taken apart: %w", err)
	}
	if len(words) == 0 {
		return nil, errors.New("cmd not found in metadata: there is no command")
	}
	return words, nil
}

// shellSyntax finds what a shell would do more than to split words, and
// returns it; empty for nothing. Words of their own that have a meaning, such
// as an asterisk, are plain arguments.
func shellSyntax(command string) string {
	command = strings.TrimSpace(command)
	var quote byte // ', " or 0
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case quote == '\'' && c != '\'':
		case c == '\\':
			i++
		case quote == c:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == '`':
			return "`"
		case c == '$' && expands(command[i+1:]):
			return command[i : i+2]
		case quote == 0 && c == '\n':
			return "a line break"
		case quote == 0 && strings.IndexByte("|&;<>", c) >= 0:
			return string(c)
		}
	}
	return ""
}

// expands reports whether a shell makes something else of a dollar sign that
// is followed by rest.
func expands(rest string) bool {
	return rest != "" && (strings.IndexByte("({_@*#?!", rest[0]) >= 0 || (rest[0]|0x20 >= 'a' && rest[0]|0x20 <= 'z'))
}

// parse reads the words of a hey, wrk or ghz command.
func parse(words []string) (load, error) {
	l := load{kind: path.Base(words[0])}
	var err error
	switch l.kind {
	case "hey":
		err = l.takeHey(words[1:])
	case "wrk":
		err = l.takeWrk(words[1:])
	case "ghz":
		err = l.takeGHZ(words[1:])
	}
	if err == nil {
		err = l.finish()
	}
	if err != nil {
		return load{}, fmt.Errorf("%s: %w", l.kind, err)
	}
	return l, nil
}

// isLoad reports whether a command is read and not run.
func isLoad(word string) bool {
	switch path.Base(word) {
	case "hey", "wrk", "ghz":
		return true
	}
	return false
}

func (l *load) takeHey(args []string) error {
	flags, target, err := loadgen.ParseHeyArgs(args)
	if err != nil {
		return err
	}
	if flags.Duration == 0 && flags.Requests < max(flags.Workers, 1) {
		return fmt.Errorf("-n %d must not be less than -c %d: each worker sends at least one request", flags.Requests, flags.Workers)
	}
	l.url, l.host, l.plan = target, flags.Host, flags.Plan()
	l.plan.HTTP2 = flags.HTTP2 && target.Scheme == "https"
	l.request, err = flags.Request(target)
	return err
}

// finish checks what all loads have in common.
func (l *load) finish() error {
	switch {
	case l.url.User != nil:
		return errors.New("the URL has a user: give it in a header")
	case l.request.Method == http.MethodConnect:
		return errors.New("CONNECT opens tunnels, which no load is made of")
	case l.plan.Duration > maxDuration:
		return fmt.Errorf("a load may last %v at most, not %v", maxDuration, l.plan.Duration)
	case l.plan.Connections > maxConnections:
		return fmt.Errorf("-c may be %d at most, not %d", maxConnections, l.plan.Connections)
	case strings.ContainsAny(l.host, "/@?# \\") || (l.host != "" && (&url.URL{Host: l.host}).Hostname() == ""):
		return fmt.Errorf("%.80q is no host", l.host)
	}
	for name, values := range l.request.Header {
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
				return fmt.Errorf("header %s has a value with control characters", name)
			}
		}
	}
	if l.plan.Duration == 0 { // as many as -n says, in this time
		l.plan.Duration = maxDuration
	}
	l.plan.Timeout = min(l.plan.Timeout, maxDuration)
	l.plan.RedirectsStay = true
	l.plan.Requests = []loadgen.Request{l.request}
	if l.plan.Closed {
		l.rate = l.plan.WorkerRate * float64(l.plan.Connections)
		if l.plan.WorkerRate == 0 {
			l.rate = math.Inf(1)
		}
	}
	return l.plan.Validate()
}

// addHeader reads "Name: value", and takes a Host apart.
func (l *load) addHeader(text string) error {
	name, value, ok := strings.Cut(text, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || !isToken(name) {
		return fmt.Errorf("header %.80q must be \"Name: value\"", text)
	}
	if strings.EqualFold(name, "Host") {
		l.host = value
		return nil
	}
	if l.request.Header == nil {
		l.request.Header = make(http.Header)
	}
	l.request.Header.Add(name, value)
	return nil
}

// isToken is RFC 9110's, 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

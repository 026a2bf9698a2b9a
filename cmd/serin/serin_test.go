package main

import (
	"bytes"
	"strings"
	"testing"
)

// serin runs the command line as a user does.
func serin(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	t.Setenv("KUBECONFIG", "")
	t.Setenv("HOME", t.TempDir())
	var out, errOut bytes.Buffer
	err = run(t.Context(), args, &out, &errOut)
	return out.String() + errOut.String(), err
}

func TestCommandsExplainThemselves(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "Available Commands"},
		{[]string{"--help"}, "daemon"},
		{[]string{"daemon", "--help"}, "--gateway"},
		{[]string{"version"}, "serin "},
	} {
		out, err := serin(t, tc.args...)
		if err != nil || !strings.Contains(out, tc.want) {
			t.Errorf("serin %q: %v, printed %q, want %q", tc.args, err, out, tc.want)
		}
	}
}

func TestMistakesAreErrorsThatSayWhatToDo(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"deamon"}, `unknown command "deamon"`},
		{[]string{"version", "now"}, `unknown command "now"`},
		{[]string{"daemon", "--log-level", "loud"}, `--log-level must be debug, info, warn or error, not "loud"`},
		{[]string{"daemon", "--log-format", "xml"}, `--log-format must be text or json, not "xml"`},
		{[]string{"daemon", "--kubeconfig", "/does/not/exist"}, "set --kubeconfig or $KUBECONFIG"},
		{[]string{"daemon"}, "set --kubeconfig or $KUBECONFIG"},
	} {
		if _, err := serin(t, tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("serin %q: %v, want %q", tc.args, err, tc.want)
		}
	}
}

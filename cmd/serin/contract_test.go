package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/cli"
	"github.com/serin-dev/serin/daemon/fault"
)

// What the command line sends, the daemon takes, and what it answers, the
// command line understands. Neither knows the other.
func TestCommandLineAndDaemonMeanTheSameFaults(t *testing.T) {
	for name, flags := range map[string]cli.FaultFlags{
		"status":    {Status: 503},
		"fixed":     {Delay: time.Second},
		"uniform":   {Uniform: "100ms,2s"},
		"normal":    {Normal: "500ms,100ms"},
		"pareto":    {Pareto: "100ms,1.5"},
		"reset":     {Reset: true},
		"timeout":   {Timeout: true},
		"truncate":  {Truncate: true},
		"bandwidth": {Bandwidth: "10kB"},
		"request":   {Request: "POST /status/500"},
	} {
		flags.Target, flags.Percent, flags.PathPrefix, flags.For = "both", 12.5, "/api", 90*time.Second
		sent, err := flags.Fault("test", "podinfo")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		rule, err := fault.Decode(bytes.NewReader(text))
		if err != nil {
			t.Errorf("%s: the daemon does not take %s: %v", name, text, err)
			continue
		}
		answer, err := json.Marshal(rule)
		if err != nil {
			t.Fatal(err)
		}
		var understood cli.Fault
		decoder := json.NewDecoder(bytes.NewReader(answer))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&understood); err != nil {
			t.Errorf("%s: %v in %s", name, err, answer)
		}
		if diff := cmp.Diff(sent, understood); diff != "" {
			t.Errorf("%s (-sent +understood):\n%s", name, diff)
		}
	}
}

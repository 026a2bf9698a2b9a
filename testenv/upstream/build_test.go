package upstream

import (
	"os"
	"testing"
)

func TestTmpBuild(t *testing.T) {
	p, err := Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(p)
}

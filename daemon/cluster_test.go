package daemon

import (
	"strings"
	"testing"
)

func TestDefinitionWithoutOurStatusIsRefused(t *testing.T) {
	canary := func(status string) string {
		return `{"components": {"schemas": {
			"app.flagger.v1beta1.CanaryList": {"x-kubernetes-group-version-kind": [{"kind": "CanaryList"}]},
			"app.flagger.v1beta1.Canary": {
				"x-kubernetes-group-version-kind": [{"group": "flagger.app", "kind": "Canary", "version": "v1beta1"}],
				"properties": {"status": {"properties": {` + status + `}}}
			}}}}`
	}
	if err := checkSchema([]byte(canary(`"phase": {}, "analysis": {}`))); err != nil {
		t.Errorf("ours is refused: %v", err)
	}
	for _, schema := range []string{canary(`"phase": {}`), `{}`, `nonsense`} {
		if err := checkSchema([]byte(schema)); err == nil || !strings.Contains(err.Error(), "canaries.flagger.app") {
			t.Errorf("schema %q gives %v", schema, err)
		}
	}
}

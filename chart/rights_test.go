package chart_test

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

func TestEveryRuleSaysWhatItIsFor(t *testing.T) {
	for _, set := range valueSets {
		lines := strings.Split(templateSet(t, set), "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, "- apiGroups:") && !strings.HasPrefix(lines[i-1], "# ") {
				t.Errorf("%s: no comment above\n%s", set, strings.Join(lines[i:i+3], "\n"))
			}
		}
	}
}

func TestNoRuleIsAboutEverything(t *testing.T) {
	for _, set := range valueSets {
		for _, o := range objects(t, templateSet(t, set)) {
			if o.GetKind() != "Role" && o.GetKind() != "ClusterRole" {
				continue
			}
			for _, rule := range convert[rbacv1.Role](t, o).Rules {
				for _, words := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames} {
					if slices.Contains(words, "*") {
						t.Errorf("%s: %s %s: %v", set, o.GetKind(), o.GetName(), rule)
					}
				}
			}
		}
	}
}

// A daemon for one namespace has nothing that belongs to the cluster, or to
// another namespace.
func TestDefaultsStayInTheNamespace(t *testing.T) {
	for _, o := range objects(t, template(t)) {
		if o.GetNamespace() != "test" {
			t.Errorf("%s %s is in namespace %q", o.GetKind(), o.GetName(), o.GetNamespace())
		}
	}
}

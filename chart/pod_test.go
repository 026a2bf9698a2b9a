package chart_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func convert[T any](t *testing.T, o *unstructured.Unstructured) *T {
	t.Helper()
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, typed, true); err != nil {
		t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return typed
}

// pods are all that the chart runs: the daemon's, and that of its test.
func pods(t *testing.T, all []*unstructured.Unstructured) (specs []corev1.PodSpec) {
	t.Helper()
	for _, o := range find(all, "Deployment") {
		specs = append(specs, convert[appsv1.Deployment](t, o).Spec.Template.Spec)
	}
	for _, o := range find(all, "Pod") {
		specs = append(specs, convert[corev1.Pod](t, o).Spec)
	}
	return specs
}

// What the standard "restricted" asks for; the API server is asked too, in
// TestRealAPIServerTakesEverything.
func TestPodsMayDoNothing(t *testing.T) {
	for _, set := range valueSets {
		specs := pods(t, objects(t, templateSet(t, set)))
		if len(specs) != 2 {
			t.Fatalf("%s: %d pods", set, len(specs))
		}
		for _, spec := range specs {
			s := spec.SecurityContext
			if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || *s.RunAsUser != 65532 || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s: the pod's security context is %v", set, s)
			}
			if spec.HostNetwork || spec.HostPID || spec.HostIPC {
				t.Errorf("%s: the pod shares the host's namespaces", set)
			}
			for _, c := range spec.Containers {
				s := c.SecurityContext
				if s == nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || s.Capabilities.Add != nil {
					t.Errorf("%s: container %s has the security context %v", set, c.Name, s)
				}
				if c.Resources.Limits.Memory().IsZero() || !c.Resources.Limits.Cpu().IsZero() {
					t.Errorf("%s: container %s wants a limit of memory, and none of CPU, which would make load late", set, c.Name)
				}
			}
		}
	}
}

// The command line looks for the daemon by this label and port.
func TestCommandLineFindsTheDaemon(t *testing.T) {
	for _, set := range valueSets {
		for _, o := range find(objects(t, templateSet(t, set)), "Deployment") {
			template := convert[appsv1.Deployment](t, o).Spec.Template
			if template.Labels["app.kubernetes.io/name"] != "serin" || template.Spec.Containers[0].Ports[0].ContainerPort != 8080 {
				t.Errorf("%s: labels %v, ports %v", set, template.Labels, template.Spec.Containers[0].Ports)
			}
		}
	}
}

func TestDaemonKnowsTheFlagsThatItIsGiven(t *testing.T) {
	help, err := exec.CommandContext(t.Context(), "go", "run", "../cmd/serin", "daemon", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range valueSets {
		for _, o := range find(objects(t, templateSet(t, set)), "Deployment") {
			args := convert[appsv1.Deployment](t, o).Spec.Template.Spec.Containers[0].Args
			if args[0] != "daemon" {
				t.Errorf("%s: %v", set, args)
			}
			for _, arg := range args[1:] {
				flag, _, _ := strings.Cut(arg, "=")
				if !regexp.MustCompile(regexp.QuoteMeta(flag) + `\b`).Match(help) {
					t.Errorf("%s: serin daemon has no %s", set, flag)
				}
			}
		}
	}
}

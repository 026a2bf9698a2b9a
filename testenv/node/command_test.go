package node

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

var guide = corev1.PodSpec{Containers: []corev1.Container{
	{Name: queueProxy, Image: "queue", Env: []corev1.EnvVar{
		{Name: "SERVING_PORT", Value: "8012"},
		{Name: "SERVING_READINESS_PROBE", Value: `{"httpGet":{"path":"/readyz","port":9898,"host":"127.0.0.1","scheme":"HTTP"},"successThreshold":1}`},
	}},
	{
		Name: "user-container", Image: "ghcr.io/stefanprodan/podinfo:6.0.0",
		Command: []string{"./podinfo", "--port=9898", "--port-metrics=9797", "--grpc-port=9999", "--grpc-service-name=podinfo", "--level=info"},
		Args:    []string{"-port=9898", "--report=9898", "--port=text"},
		Ports:   []corev1.ContainerPort{{ContainerPort: 9898}},
		Env:     []corev1.EnvVar{{Name: "PORT", Value: "9898"}, {Name: "COLOUR", Value: "blue"}},
	},
}}

func TestPortsAreReplacedAndNothingElse(t *testing.T) {
	c, err := newCommand(&guide, Catalogue{"podinfo": {
		Path: "/bin/podinfo", Env: []string{"PODINFO_HOST=127.0.0.1"}, PortVariables: []string{"PODINFO_PORT"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if c.program.Path != "/bin/podinfo" || c.port != 9898 || c.probe != "/readyz" {
		t.Errorf("program %q, port %d, probe %q", c.program.Path, c.port, c.probe)
	}
	if got, want := ports(c.args), []int{9898, 9797, 9999, 9898}; !slices.Equal(got, want) {
		t.Errorf("ports %v, want %v", got, want)
	}
	args, env := c.onPorts(map[int]int{9898: 1001, 9797: 1002, 9999: 1003})
	want := []string{"--port=1001", "--port-metrics=1002", "--grpc-port=1003", "--grpc-service-name=podinfo", "--level=info", "-port=1001", "--report=9898", "--port=text"}
	if !slices.Equal(args, want) {
		t.Errorf("arguments %q, want %q", args, want)
	}
	if want := []string{"PODINFO_HOST=127.0.0.1", "PORT=1001", "PODINFO_PORT=1001", "COLOUR=blue"}; !slices.Equal(env, want) {
		t.Errorf("environment %q, want %q", env, want)
	}
}

func TestFreePortsDiffer(t *testing.T) {
	found, err := freePorts([]int{1, 2, 3, 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 3 || found[1] == found[2] || found[2] == found[3] || found[1] == found[3] {
		t.Errorf("ports %v", found)
	}
}

func TestImagesOutsideTheCatalogueAreSaidSo(t *testing.T) {
	catalogue := Catalogue{"podinfo": {Path: "/bin/podinfo"}}
	for image, known := range map[string]bool{
		"podinfo": true, "podinfo:6": true, "ghcr.io/stefanprodan/podinfo@sha256:abc": true, "localhost:5000/podinfo": true,
		"ghcr.io/stefanprodan/podinfo2:6": false, "podinfo/other": false, "": false,
	} {
		_, err := catalogue.program(image)
		if known != (err == nil) || (err != nil && !strings.Contains(err.Error(), image)) {
			t.Errorf("image %q: %v, want known %v", image, err, known)
		}
	}
}

func TestReadinessProbes(t *testing.T) {
	for value, want := range map[string]string{
		"": "", `{"tcpSocket":{"port":0}}`: "", `{"httpGet":{"path":"healthz"}}`: "/healthz", `{"grpc":{"port":1}}`: "",
	} {
		sidecar := &corev1.Container{Env: []corev1.EnvVar{{Name: probeVariable, Value: value}}}
		if got, err := probePath(sidecar); err != nil || got != want {
			t.Errorf("probe %q is at %q, error %v; want %q", value, got, err, want)
		}
	}
	if _, err := probePath(&corev1.Container{Env: []corev1.EnvVar{{Name: probeVariable, Value: "{"}}}); err == nil {
		t.Error("half a probe is none")
	}
	if got, err := probePath(nil); got != "" || err != nil {
		t.Errorf("without a sidecar: %q, %v", got, err)
	}
}

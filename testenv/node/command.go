package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// queueProxy is the name of Knative's sidecar, which is not run.
const queueProxy = "queue-proxy"

// probeVariable is where Knative hands the user's readiness probe to its
// sidecar, as JSON; the user's container has none any more.
const probeVariable = "SERVING_READINESS_PROBE"

// defaultPort is Knative's for a container that names none.
const defaultPort = 8080

// Program stands for an image.
type Program struct {
	Path string
	// Env is set for every process, for what the program does in a container
	// but must not do here, such as listening on all addresses.
	Env []string
	// PortVariables name the environment variables, besides PORT, that tell
	// the program where to serve when no argument does.
	PortVariables []string
}

// Catalogue maps the name of an image, without registry and tag, to the
// program that stands for it.
type Catalogue map[string]Program

// program looks an image up.
func (c Catalogue) program(image string) (Program, error) {
	name, _, _ := strings.Cut(path.Base(image), "@")
	name, _, _ = strings.Cut(name, ":")
	if program, ok := c[name]; ok {
		return program, nil
	}
	return Program{}, fmt.Errorf("back-off pulling image %q: it is not in the catalogue of this node", image)
}

// containers finds the user's container that serves, and Knative's sidecar,
// which is nil where there is none.
func containers(pod *corev1.PodSpec) (user, sidecar *corev1.Container, err error) {
	for i := range pod.Containers {
		c := &pod.Containers[i]
		switch {
		case c.Name == queueProxy:
			sidecar = c
		case user == nil || len(c.Ports) > 0: // of several, only the one that serves may name ports
			user = c
		}
	}
	if user == nil {
		return nil, nil, errors.New("the Deployment has no user container")
	}
	return user, sidecar, nil
}

// servedPort is the container port that gets the requests.
func servedPort(c *corev1.Container) int {
	if len(c.Ports) == 0 {
		return defaultPort
	}
	return int(c.Ports[0].ContainerPort)
}

// portFlag matches an argument that sets a port: --port=9898,
// --port-metrics=9797, -grpc-port=9999.
var portFlag = regexp.MustCompile(`^(--?(?:port|port-[\w-]+|[\w-]+-port)=)(\d+)$`)

// ports finds the port flags among arguments. Port 0 means none and stays.
func ports(args []string) []int {
	var found []int
	for _, a := range args {
		if m := portFlag.FindStringSubmatch(a); m != nil {
			if port, err := strconv.Atoi(m[2]); err == nil && port != 0 {
				found = append(found, port)
			}
		}
	}
	return found
}

// replacePorts returns the arguments with other port numbers.
func replacePorts(args []string, to map[int]int) []string {
	replaced := make([]string, len(args))
	for i, a := range args {
		replaced[i] = a
		m := portFlag.FindStringSubmatch(a)
		if m == nil {
			continue
		}
		if port, err := strconv.Atoi(m[2]); err == nil && to[port] != 0 {
			replaced[i] = m[1] + strconv.Itoa(to[port])
		}
	}
	return replaced
}

// freePorts finds a free loopback port for each of the wanted ones. Another
// process may take one before it is used; the pod is then started again.
func freePorts(wanted []int) (map[int]int, error) {
	found := make(map[int]int, len(wanted))
	for _, port := range wanted {
		if found[port] != 0 {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // all at the end, so that all differ
		found[port] = l.Addr().(*net.TCPAddr).Port
	}
	return found, nil
}

// command is what a pod runs.
type command struct {
	program Program
	args    []string
	env     []string
	port    int    // the served one, before it is replaced
	probe   string // path of an HTTP readiness probe; empty for a TCP one
}

// newCommand translates a pod. As in a container, command[0] names the program;
// here it is the catalogue's for the image, whatever its path was.
func newCommand(pod *corev1.PodSpec, catalogue Catalogue) (command, error) {
	user, sidecar, err := containers(pod)
	if err != nil {
		return command{}, err
	}
	program, err := catalogue.program(user.Image)
	if err != nil {
		return command{}, err
	}
	var args []string
	if len(user.Command) > 1 {
		args = append(args, user.Command[1:]...)
	}
	made := command{program: program, args: append(args, user.Args...), port: servedPort(user)}
	for _, e := range user.Env {
		if e.ValueFrom == nil && e.Name != "PORT" {
			made.env = append(made.env, e.Name+"="+e.Value)
		}
	}
	made.probe, err = probePath(sidecar)
	return made, err
}

// probePath is the path of the user's HTTP readiness probe, or empty.
func probePath(sidecar *corev1.Container) (string, error) {
	if sidecar == nil {
		return "", nil
	}
	for _, e := range sidecar.Env {
		if e.Name != probeVariable || e.Value == "" {
			continue
		}
		var probe corev1.Probe
		if err := json.Unmarshal([]byte(e.Value), &probe); err != nil {
			return "", fmt.Errorf("read the readiness probe in %s: %w", probeVariable, err)
		}
		if probe.HTTPGet != nil {
			return "/" + strings.TrimPrefix(probe.HTTPGet.Path, "/"), nil
		}
	}
	return "", nil
}

// onPorts returns the arguments and environment for the ports that were found.
// What the user sets comes last, and wins.
func (c command) onPorts(found map[int]int) (args, env []string) {
	served := strconv.Itoa(found[c.port])
	env = append(env, c.program.Env...)
	for _, name := range append([]string{"PORT"}, c.program.PortVariables...) {
		env = append(env, name+"="+served)
	}
	return replacePorts(c.args, found), append(env, c.env...)
}

package node

import (
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

// defaultPort is Knative's for a container that names none.
const defaultPort = 8080

// Catalogue maps the name of an image, without registry and tag, to the
// program that stands for it.
type Catalogue map[string]string

// program looks an image up.
func (c Catalogue) program(image string) (string, error) {
	name, _, _ := strings.Cut(path.Base(image), "@")
	name, _, _ = strings.Cut(name, ":")
	if program, ok := c[name]; ok {
		return program, nil
	}
	return "", fmt.Errorf("ImagePullBackOff: image %q is not in the catalogue of this node", image)
}

// container is the user's.
func container(pod *corev1.PodSpec) (*corev1.Container, error) {
	for i := range pod.Containers {
		if pod.Containers[i].Name != queueProxy {
			return &pod.Containers[i], nil
		}
	}
	return nil, errors.New("the Deployment has no user container")
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

// ports finds the port flags among arguments.
func ports(args []string) []int {
	var found []int
	for _, a := range args {
		if m := portFlag.FindStringSubmatch(a); m != nil {
			if port, err := strconv.Atoi(m[2]); err == nil {
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
	program string
	args    []string
	env     []string
	port    int    // the served one, before it is replaced
	probe   string // path of an HTTP readiness probe; empty for a TCP one
}

// newCommand translates a pod. As in a container, command[0] names the program;
// here it is the catalogue's for the image, whatever its path was.
func newCommand(pod *corev1.PodSpec, catalogue Catalogue) (command, error) {
	c, err := container(pod)
	if err != nil {
		return command{}, err
	}
	program, err := catalogue.program(c.Image)
	if err != nil {
		return command{}, err
	}
	var args []string
	if len(c.Command) > 1 {
		args = append(args, c.Command[1:]...)
	}
	made := command{program: program, args: append(args, c.Args...), port: servedPort(c)}
	for _, e := range c.Env {
		if e.ValueFrom == nil && e.Name != "PORT" {
			made.env = append(made.env, e.Name+"="+e.Value)
		}
	}
	if c.ReadinessProbe != nil && c.ReadinessProbe.HTTPGet != nil {
		made.probe = c.ReadinessProbe.HTTPGet.Path
	}
	return made, nil
}

// onPorts returns the arguments and environment for the ports that were found.
func (c command) onPorts(found map[int]int) (args, env []string) {
	return replacePorts(c.args, found), append([]string{"PORT=" + strconv.Itoa(found[c.port])}, c.env...)
}

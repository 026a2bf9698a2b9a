package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The daemon's pods, and the Lease of the one that works.
const (
	podLabel   = "app.kubernetes.io/name"
	podName    = "serin"
	leaseName  = "serin"
	daemonPort = 8080
)

// daemonPod finds a ready pod of the daemon, the working one if there are
// several. It looks in one namespace where that is given, else in the Canary's
// and then in all.
func (c *Cluster) daemonPod(ctx context.Context, only, canarys string) (*corev1.Pod, error) {
	places := []string{canarys, ""}
	if only != "" {
		places = []string{only}
	}
	var errs []error
	for _, namespace := range places {
		var pods corev1.PodList
		if err := c.Client.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{podLabel: podName}); err != nil {
			errs = append(errs, fmt.Errorf("look for the daemon's pods: %w", err))
			continue
		}
		if pod := c.working(ctx, pods.Items); pod != nil {
			return pod, nil
		}
	}
	where := "any namespace"
	if only != "" {
		where = fmt.Sprintf("namespace %q", only)
	}
	missing := fmt.Errorf("there is no ready pod of Serin (%s=%s) in %s: name the daemon with --server or $SERIN_SERVER, or its namespace with --serin-namespace", podLabel, podName, where)
	return nil, errors.Join(append(errs, missing)...)
}

// working is the ready pod that holds the Lease, or else any ready one.
func (c *Cluster) working(ctx context.Context, pods []corev1.Pod) (found *corev1.Pod) {
	for i := range pods {
		if !ready(&pods[i]) {
			continue
		}
		var lease coordinationv1.Lease
		err := c.Client.Get(ctx, client.ObjectKey{Namespace: pods[i].Namespace, Name: leaseName}, &lease)
		// A holder is the pod's name, an underscore and a number.
		if err == nil && lease.Spec.HolderIdentity != nil && strings.HasPrefix(*lease.Spec.HolderIdentity, pods[i].Name+"_") {
			return &pods[i]
		}
		if found == nil {
			found = &pods[i]
		}
	}
	return found
}

func ready(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// portOf is the pod's port named http, or the usual one.
func portOf(pod *corev1.Pod) int32 {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == "http" {
				return port.ContainerPort
			}
		}
	}
	return daemonPort
}

// forward forwards a free port of this machine's loopback to the pod, through
// the API server, until end is called.
func (c *Cluster) forward(ctx context.Context, pod *corev1.Pod) (base string, end func(), err error) {
	dialer, err := c.dialer(pod)
	if err != nil {
		return "", nil, fmt.Errorf("reach pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	ports := []string{fmt.Sprintf("0:%d", portOf(pod))}
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, ports, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return "", nil, fmt.Errorf("reach pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	ended := make(chan struct{})
	var failure error // read once ended is closed
	go func() {
		defer close(ended)
		failure = forwarder.ForwardPorts()
	}()
	select {
	case <-ready:
	case <-ended:
		return "", nil, fmt.Errorf("forward a port to pod %s/%s: %w", pod.Namespace, pod.Name, failure)
	case <-ctx.Done():
		// Dialling knows no context; it ends by its own timeout, and then by stop.
		close(stop)
		return "", nil, ctx.Err()
	}
	end = func() {
		close(stop)
		<-ended // with an error where the pod is gone, which is known by now
	}
	local, err := forwarder.GetPorts()
	if err != nil || len(local) != 1 {
		end()
		return "", nil, fmt.Errorf("forward a port to pod %s/%s: %w", pod.Namespace, pod.Name, errors.Join(err, errors.New("no port was opened")))
	}
	return fmt.Sprintf("http://127.0.0.1:%d", local[0].Local), end, nil
}

// dialer uses a websocket, and SPDY where the API server is too old for it.
func (c *Cluster) dialer(pod *corev1.Pod) (httpstream.Dialer, error) {
	config := rest.CopyConfig(c.Config)
	config.GroupVersion, config.APIPath = &corev1.SchemeGroupVersion, "/api"
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	core, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	url := core.Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	websocket, err := portforward.NewSPDYOverWebsocketDialer(url, config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialer(websocket, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

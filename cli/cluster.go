package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Cluster is a cluster as one user sees it.
type Cluster struct {
	Client client.WithWatch
	// Namespace that is meant where none is said.
	Namespace string
	// Config is how to reach the API server.
	Config *rest.Config
	// Program is how the user calls this one, for advice: serin.
	Program string
}

// Connect finds the cluster that a kubeconfig and its flags mean. It does not
// talk to it yet.
func Connect(loader clientcmd.ClientConfig, program string) (*Cluster, error) {
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w: set --kubeconfig or $KUBECONFIG, or run in a pod", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, fmt.Errorf("find the current namespace: %w", err)
	}
	config.WarningHandler = rest.NoWarnings{} // they would be written into the page
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: newMapper()})
	if err != nil {
		return nil, fmt.Errorf("set up the client: %w", err)
	}
	return &Cluster{Client: c, Namespace: namespace, Config: config, Program: program}, nil
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(v1beta1.AddToScheme(scheme), corev1.AddToScheme(scheme), coordinationv1.AddToScheme(scheme))
}

// newMapper knows the few kinds that are read, so that no command begins with
// asking for all there are.
func newMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1beta1.GroupVersion.WithKind("Canary"), meta.RESTScopeNamespace)
	for _, kind := range []string{"Event", "Pod"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	mapper.Add(coordinationv1.SchemeGroupVersion.WithKind("Lease"), meta.RESTScopeNamespace)
	return mapper
}

// canary reads one Canary. One that is somebody else's is an error.
func (c *Cluster) canary(ctx context.Context, name string) (*v1beta1.Canary, error) {
	canary := new(v1beta1.Canary)
	if err := c.Client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, canary); err != nil {
		return nil, c.explain(name, err)
	}
	return canary, checkOurs(canary)
}

// checkOurs is an error where a Canary is somebody else's, and says why it is.
func checkOurs(c *v1beta1.Canary) error {
	switch t := c.Spec.TargetRef; {
	case c.Ours():
		return nil
	case c.Spec.Provider != "" && c.Spec.Provider != v1beta1.ProviderKnative:
		return fmt.Errorf("canary %s/%s is not Serin's: its provider is %q", c.Namespace, c.Name, c.Spec.Provider)
	default:
		return fmt.Errorf("canary %s/%s is not Serin's: its target is %q, and not a Knative Service, %q",
			c.Namespace, c.Name, t.APIVersion+" "+t.Kind, v1beta1.TargetAPIVersion+" "+v1beta1.TargetKind)
	}
}

// onlyOurs drops the Canaries that are somebody else's.
func onlyOurs(all []v1beta1.Canary) []v1beta1.Canary {
	return slices.DeleteFunc(all, func(c v1beta1.Canary) bool { return !c.Ours() })
}

// explain says what to do about an error of the API server. The name is that
// of the Canary that was asked for, or nothing.
func (c *Cluster) explain(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse):
		return errors.New("the cluster knows no Canaries (flagger.app/v1beta1): install Serin's definitions, chart/crds")
	case apierrors.IsNotFound(err) && name != "":
		return fmt.Errorf("there is no canary %q in namespace %q: %s status -A shows those that there are", name, c.Namespace, c.Program)
	default:
		return fmt.Errorf("ask the API server: %w", err)
	}
}

// Names returns the names of Serin's Canaries of the namespace, sorted.
func (c *Cluster) Names(ctx context.Context) ([]string, error) {
	var list v1beta1.CanaryList
	if err := c.Client.List(ctx, &list, client.InNamespace(c.Namespace)); err != nil {
		return nil, c.explain("", err)
	}
	var names []string
	for _, canary := range onlyOurs(list.Items) {
		names = append(names, canary.Name)
	}
	slices.Sort(names)
	return names, nil
}

// eventsOf are list options that select the events of one Canary.
func (c *Cluster) eventsOf(name string) []client.ListOption {
	return []client.ListOption{
		client.InNamespace(c.Namespace),
		client.MatchingFields{"involvedObject.kind": "Canary", "involvedObject.name": name},
	}
}

// one are list options that select one Canary.
func (c *Cluster) one(name string) []client.ListOption {
	return []client.ListOption{client.InNamespace(c.Namespace), client.MatchingFields{"metadata.name": name}}
}

package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is flagger.app/v1beta1.
var GroupVersion = schema.GroupVersion{Group: "flagger.app", Version: "v1beta1"}

// AddToScheme registers the types with a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &Canary{}, &CanaryList{}, &AlertProvider{}, &AlertProviderList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

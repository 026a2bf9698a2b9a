{{/* What the daemon does in a namespace that it serves, and nothing else. */}}
{{- define "serin.rules" -}}
# Read Canaries, annotate them with commands, take off the finalizer of old versions.
- apiGroups: [flagger.app]
  resources: [canaries]
  verbs: [get, list, watch, patch]
# Write where a rollout stands.
- apiGroups: [flagger.app]
  resources: [canaries/status]
  verbs: [update]
{{- if not .Values.reports.volume.enabled }}
# Own the ConfigMap of a Canary's reports, where the API server asks for this.
- apiGroups: [flagger.app]
  resources: [canaries/finalizers]
  verbs: [update]
# Keep the pages of rollouts that have ended, in NAME-serin-reports.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, update]
{{- end }}
# Read what is behind a Canary's alerts.
- apiGroups: [flagger.app]
  resources: [alertproviders]
  verbs: [get]
{{- if or .Values.rbac.secretNames (eq .Values.scope "namespace") }}
# Read the addresses and tokens of AlertProviders. None is listed or watched.
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.rbac.secretNames }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: [get]
{{- end }}
# Read Knative Services, and divide their traffic.
- apiGroups: [serving.knative.dev]
  resources: [services]
  verbs: [get, list, watch, patch]
# See new revisions, and whether they are ready.
- apiGroups: [serving.knative.dev]
  resources: [revisions]
  verbs: [list, watch]
# Tell what happens; patch counts an event that comes again.
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}

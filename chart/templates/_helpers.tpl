{{/* The name of everything. */}}
{{- define "serin.name" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 53 | trimSuffix "-" }}
{{- end }}

{{/* What selects the pods. The command line finds them by the first label. */}}
{{- define "serin.selector" -}}
app.kubernetes.io/name: serin
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "serin.labels" -}}
{{ include "serin.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "serin.account" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "serin.name" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{/* The daemon, as the API server knows it. */}}
{{- define "serin.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "serin.account" . }}
{{- end }}

{{/* The traffic policy belongs to the cluster. Its name has the namespace behind a
dot, which no namespace has, so that those of two releases differ. */}}
{{- define "serin.trafficPolicy" -}}
{{ include "serin.name" . }}-traffic.{{ .Release.Namespace }}
{{- end }}

{{- define "serin.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The namespaces served with scope namespace, as a JSON list. */}}
{{- define "serin.namespaces" -}}
{{- .Values.namespaces | default (list .Release.Namespace) | uniq | toJson }}
{{- end }}

{{/* What is right for every container, whatever it runs. */}}
{{- define "serin.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "serin.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Who a binding is about. */}}
{{- define "serin.subjects" -}}
- kind: ServiceAccount
  name: {{ include "serin.account" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* What schema and templates cannot say each by itself. */}}
{{- define "serin.check" -}}
{{- if and (eq .Values.scope "cluster") .Values.namespaces }}
{{- fail "namespaces are for scope=namespace: scope=cluster serves all" }}
{{- end }}
{{- if and .Values.alert.type (not .Values.alert.secretName) }}
{{- fail "alert.type needs alert.secretName, a Secret with the key address" }}
{{- end }}
{{- if and .Values.trafficPolicy.enabled (semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version) }}
{{- fail (printf "trafficPolicy needs Kubernetes 1.30, this is %s" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- range $label, $_ := fromYaml (include "serin.selector" .) }}
{{- if hasKey $.Values.podLabels $label }}
{{- fail (printf "podLabels must leave %s alone" $label) }}
{{- end }}
{{- end }}
{{- with .Values.reports.volume }}
{{- if and .enabled (not .existingClaim) (eq .accessMode "ReadWriteOnce") (gt (int $.Values.replicas) 1) }}
{{- fail "more than one replica needs reports.volume.accessMode=ReadWriteMany" }}
{{- end }}
{{- end }}
{{- end }}

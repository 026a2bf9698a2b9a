{{/* The daemon's flags. What it does by itself is not repeated. */}}
{{- define "serin.args" -}}
- daemon
- --listen=:8080
{{- if .Values.namespaces }}
{{- range .Values.namespaces | uniq }}
- --namespace={{ . }}
{{- end }}
{{- else if eq .Values.scope "namespace" }}
- --namespace=$(POD_NAMESPACE)
{{- end }}
{{- with .Values.gateway }}
- {{ printf "--gateway=%s" . | quote }}
{{- end }}
{{- if ne .Values.knativeNamespace "knative-serving" }}
- --knative-namespace={{ .Values.knativeNamespace }}
{{- end }}
{{- $hooks := ternary .Values.hooks "off" (kindIs "string" .Values.hooks) }}{{/* off without quotes is false */}}
{{- if ne $hooks "open" }}
- --hooks={{ $hooks }}
{{- end }}
{{- if ne .Values.loopback "open" }}
- --loopback={{ .Values.loopback }}
{{- end }}
{{- if .Values.maxRate }}
- --max-rate={{ int .Values.maxRate }}
{{- end }}
{{- with .Values.allowExec }}
- {{ printf "--allow-exec=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.allowTarget }}
- {{ printf "--allow-target=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.denyTarget }}
- {{ printf "--deny-target=%s" (join "," .) | quote }}
{{- end }}
{{- if .Values.reports.volume.enabled }}
- --reports=/reports
{{- end }}
{{- if ne (int .Values.reports.keep) 5 }}
- --keep-reports={{ int .Values.reports.keep }}
{{- end }}
{{- with .Values.alert }}
{{- if .type }}
- --alert-type={{ .type }}
- --alert-severity={{ .severity }}
{{- range $key := list "channel" "username" "proxy" }}
{{- with index $.Values.alert $key }}
- {{ printf "--alert-%s=%s" $key . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if ne .Values.log.level "info" }}
- --log-level={{ .Values.log.level }}
{{- end }}
{{- if ne .Values.log.format "text" }}
- --log-format={{ .Values.log.format }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ quote . }}
{{- end }}
{{- end }}

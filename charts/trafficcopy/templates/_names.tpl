{{/* Labels of every object. (dict "root" $ "component" "operator") */}}
{{- define "trafficcopy.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: trafficcopy
{{ include "trafficcopy.selector" . }}
{{- end }}

{{/* What selects the pods of a component; never changes between versions. */}}
{{- define "trafficcopy.selector" -}}
app.kubernetes.io/name: trafficcopy
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* The image of a component: by digest when there is one. (dict "root" $ "image" .Values.operator.image) */}}
{{- define "trafficcopy.image" -}}
{{- $registry := .root.Values.image.registry -}}
{{- $name := ternary .image.repository (printf "%s/%s" $registry .image.repository) (empty $registry) -}}
{{- if .image.digest -}}
{{ printf "%s@%s" $name .image.digest }}
{{- else -}}
{{ printf "%s:%s" $name (coalesce .image.tag .root.Values.image.tag .root.Chart.AppVersion) }}
{{- end -}}
{{- end }}

{{/* Pull secrets of our own pods. */}}
{{- define "trafficcopy.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A container that needs nothing of its node. */}}
{{- define "trafficcopy.restricted" -}}
runAsUser: 65532
runAsGroup: 65532
runAsNonRoot: true
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

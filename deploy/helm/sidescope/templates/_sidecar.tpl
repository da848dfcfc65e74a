{{/*
The native sidecar, for initContainers of your own pod template:
  initContainers: [{{- include "sidescope.container" . | nindent … }}]
In a chart that has this one as a dependency the values are those under `sidescope`.
*/}}
{{- define "sidescope.values" -}}
{{- if .Values.sidescope }}{{ toYaml .Values.sidescope }}{{ else }}{{ toYaml .Values }}{{ end }}
{{- end }}

{{- define "sidescope.container" -}}
{{- $values := include "sidescope.values" . | fromYaml -}}
name: sidescope
image: {{ printf "%s:%s" $values.image.repository $values.image.tag | quote }}
restartPolicy: Always
ports:
  - name: sidescope-ops
    containerPort: 7778
env:
{{- range $name, $value := $values.options }}
{{- if not (kindIs "invalid" $value) }}
  - name: SIDESCOPE_{{ $name | upper | replace "-" "_" }}
    value: {{ kindIs "slice" $value | ternary ($value | join ",") $value | toString | quote }}
{{- end }}
{{- end }}
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  - name: NODE_NAME
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
  - name: CONTAINER_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.annotations['kubectl.kubernetes.io/default-container']
{{- with $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- with $values.runAsUser }}
  runAsUser: {{ int64 . }}
  {{- end }}
  {{- with $values.runAsGroup }}
  runAsGroup: {{ int64 . }}
  {{- end }}
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop:
      - ALL
  seccompProfile:
    type: RuntimeDefault
resources:
  {{- toYaml $values.resources | nindent 2 }}
volumeMounts:
  - name: sidescope-data
    mountPath: {{ index $values.options "data-dir" | default "/data" | quote }}
{{- end }}

{{- define "sidescope.volume" -}}
{{- $values := include "sidescope.values" . | fromYaml -}}
name: sidescope-data
emptyDir:
  sizeLimit: {{ $values.dataSize | quote }}
{{- end }}

{{/* Of a value and its CEL type: `Object.spec.volumes{name: "sidescope-data", …}`. What Kubernetes has as a map of texts is one in CEL too. */}}
{{- define "sidescope.cel" -}}
{{- $type := .type -}}
{{- if kindIs "map" .value -}}
{{- if has (base $type) (list "limits" "requests") -}}
{ {{- $first := true }}{{ range $key, $value := .value }}{{ if not $first }}, {{ end }}{{ $first = false }}{{ $key | quote }}: {{ $value | toString | quote }}{{ end -}} }
{{- else -}}
{{ $type | replace "/" "." }}{ {{- $first := true }}{{ range $key, $value := .value }}{{ if not $first }}, {{ end }}{{ $first = false }}{{ $key }}: {{ include "sidescope.cel" (dict "type" (printf "%s/%s" $type $key) "value" $value) }}{{ end -}} }
{{- end -}}
{{- else if kindIs "slice" .value -}}
[{{- range $index, $value := .value }}{{ if $index }}, {{ end }}{{ include "sidescope.cel" (dict "type" $type "value" $value) }}{{ end -}}]
{{- else if kindIs "string" .value -}}
{{ .value | quote }}
{{- else if kindIs "bool" .value -}}
{{ .value }}
{{- else -}}
{{ int64 .value }}
{{- end -}}
{{- end }}

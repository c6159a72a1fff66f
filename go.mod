module github.com/jogg-go/jogg

go 1.26.0

require (
	github.com/cenkalti/backoff/v5 v5.0.3 // jogg: the waits between retries
	github.com/chromedp/cdproto v0.159.0 // tests: the types of the browser's protocol
	github.com/chromedp/chromedp v0.23.0 // tests: drives the browser that tests the console
	github.com/getkin/kin-openapi v0.152.0 // e2e, tests: validates traffic and the contract itself against OpenAPI
	github.com/go-json-experiment/json v1.27.2 // webhooks: strict decoding in one pass, the published module of encoding/json/v2
	github.com/gofrs/flock v0.13.1 // webhooks/inbox: locks a directory for one process
	github.com/jonboulle/clockwork v0.5.0 // tests, simulator, inbox: a fake clock
	github.com/minio/highwayhash v1.0.4 // webhooks/inbox: the checksum in JetStream files
	github.com/nats-io/nats-server/v2 v2.15.2 // inbox: JetStream in the process
	github.com/nats-io/nats.go v1.55.0 // inbox: the client of JetStream, in the process or on a cluster
	github.com/oapi-codegen/oapi-codegen/v2 v2.8.2 // tools: make generate
	github.com/onsi/ginkgo/v2 v2.34.0 // e2e: the suites
	github.com/onsi/gomega v1.44.0 // e2e: the matchers of the suites
	github.com/prometheus/client_golang v1.25.0 // tests: the example that Prometheus scrapes
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // e2e/simulator: validates bodies against the contract
	github.com/speakeasy-api/openapi v1.24.0 // api/lint: a second opinion on the contract
	go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp v0.72.0 // tests: an example of a transport that names spans by operation
	go.opentelemetry.io/otel v1.47.0 // webhooks/inbox: the API of spans and metrics
	go.opentelemetry.io/otel/exporters/prometheus v0.69.0 // tests: the example that Prometheus scrapes
	go.opentelemetry.io/otel/metric v1.47.0 // webhooks/inbox: the API of metrics
	go.opentelemetry.io/otel/sdk v1.47.0 // tests: records spans
	go.opentelemetry.io/otel/sdk/metric v1.47.0 // tests: reads metrics
	go.opentelemetry.io/otel/trace v1.47.0 // webhooks/inbox: the API of spans
	go.uber.org/goleak v1.3.0 // tests: detects leaked goroutines
	go.yaml.in/yaml/v3 v3.0.5 // api/codegen: reads the generator's settings the way the generator does
	go.yaml.in/yaml/v4 v4.0.0 // api/drift: documents whose errors have a line and a column
	golang.org/x/sys v0.49.0 // webhooks/inbox: free disk space, and a memory-mapped file
	golang.org/x/time v0.16.0 // webhooks: a rate limit for log lines about unsigned requests
)

require (
	github.com/Masterminds/semver/v3 v3.4.0 // indirect
	github.com/antithesishq/antithesis-sdk-go v0.8.0-default-no-op // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/dprotaso/go-yit v0.0.0-20220510233725-9ba8df137936 // indirect
	github.com/felixge/httpsnoop v1.1.0 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/go-openapi/jsonpointer v0.23.1 // indirect
	github.com/go-openapi/swag/jsonname v0.26.0 // indirect
	github.com/go-task/slim-sprig/v3 v3.0.0 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/google/go-tpm v0.9.8 // indirect
	github.com/google/pprof v0.0.0-20260402051712-545e8a4df936 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/nats-io/jwt/v2 v2.8.2 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/oasdiff/yaml v0.1.1 // indirect
	github.com/oasdiff/yaml3 v0.0.14 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/otlptranslator v1.0.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/speakeasy-api/jsonpath v0.6.3 // indirect
	github.com/vmware-labs/yaml-jsonpath v0.3.2 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/otel/log v1.47.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

tool (
	github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen
	github.com/onsi/ginkgo/v2/ginkgo
)

package jogg

// Each line generates one file from the contract: oapi-codegen runs with the functions of api/codegen and the templates that the config
// names.

//go:generate go run ./api/codegen -config api/models.config.yaml -o gen/models.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/places.config.yaml -o gen/places.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/client.config.yaml -o gen/client.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/operations.config.yaml -o operations.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/billing.config.yaml -o billing.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/closed.config.yaml -o closed.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/waits.config.yaml -o waits.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/lists.config.yaml -o lists.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/normalize.config.yaml -o normalize.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/essential.config.yaml -o essential.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/simulator.config.yaml -o e2e/simulator/server.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/events.config.yaml -o webhooks/events.gen.go api/openapi.yaml
//go:generate go run ./api/codegen -config api/decode.config.yaml -o webhooks/decode.gen.go api/openapi.yaml
//go:generate go tool oapi-codegen -config api/stock.config.yaml api/openapi.yaml

// Whatever is new in the contract is added to the list of everything that the contract has ever had.

//go:generate go run ./api/published api/openapi.yaml api/published.txt

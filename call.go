package jogg

import (
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
)

// call sends the request of an operation and returns the content of the answer's envelope.
func call[T any](c *Client, operation string, req *http.Request, err error) (*T, error) {
	if err != nil {
		return nil, fmt.Errorf("jogg: %s: %w", operation, err)
	}
	req.Header.Set("X-Api-Key", c.key)
	req.Header.Set("User-Agent", c.agent)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("jogg: %s: %w", operation, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("jogg: %s: %w", operation, err)
	}
	var envelope struct {
		Code int    `json:"code"`
		Msg  string `json:"msg"`
		RID  string `json:"rid"`
		Data *T     `json:"data"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Code != 0 || resp.StatusCode >= 300 {
		return nil, &APIError{Operation: operation, HTTPStatus: resp.StatusCode, Code: envelope.Code, Message: envelope.Msg, RequestID: envelope.RID}
	}
	return envelope.Data, nil
}

package main

import (
	"os"
	"path/filepath"
	"testing"
)

const songs = `
openapi: 3.1.0
info: {title: Songs, version: '1'}
paths:
  /song: {get: {operationId: getSong, responses: {default: {description: The song.}}}}
components:
  schemas:
    EventType: {type: string, enum: [song_success]}
`

func TestListOnlyGrows(t *testing.T) {
	dir := t.TempDir()
	contract, list := filepath.Join(dir, "openapi.yaml"), filepath.Join(dir, "published.txt")
	if err := os.WriteFile(contract, []byte(songs), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ before, after string }{
		{"", heading + "event song_success\noperation getSong\n"},
		{"# An older heading.\n\noperation getTune\n", heading + "event song_success\noperation getSong\noperation getTune\n"},
		{heading + "event song_success\noperation getSong\n", heading + "event song_success\noperation getSong\n"},
	} {
		if err := os.WriteFile(list, []byte(test.before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := update(contract, list); err != nil {
			t.Fatal(err)
		}
		if after, err := os.ReadFile(list); err != nil || string(after) != test.after {
			t.Errorf("%q became %q, want %q (%v)", test.before, after, test.after, err)
		}
	}
}

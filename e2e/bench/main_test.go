package main

import (
	"testing"
	"time"
)

func TestEveryTableRuns(t *testing.T) {
	for _, table := range tables {
		if err := table(t.Context(), meter{rounds: 1, length: time.Millisecond, keys: 1000}); err != nil {
			t.Error(err)
		}
	}
}

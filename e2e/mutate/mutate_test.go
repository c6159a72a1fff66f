package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A package with tests that detect all mutations but two.
const (
	mutated = `package small

var ready = true

func Sum(numbers []int) (sum int) {
	for _, n := range numbers {
		if n < 0 {
			continue
		}
		sum += n
	}
	return sum * 2
}

func Late(i int) bool { return ready && i > 3 }
`
	itsTest = `package small

import "testing"

func TestSum(t *testing.T) {
	if Sum([]int{1, -2, 3}) != 8 {
		t.Error("the sum is wrong")
	}
}

func TestLate(t *testing.T) {
	if Late(3) || !Late(4) {
		t.Error("late is wrong")
	}
}
`
)

func TestMutationsOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "small.go")
	if err := os.WriteFile(path, []byte(mutated), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := mutationsOf(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range found {
		got = append(got, strings.TrimPrefix(m.String(), path+":"))
	}
	slices.Sort(got)
	want := []string{
		"10: removed: sum += n", "12: * becomes /", "12: 2 becomes 3", "15: && becomes ||", "15: 3 becomes 4", "15: > becomes >=",
		"3: true becomes false", "7: 0 becomes 1", "7: < becomes <=", "7: the condition is negated: n < 0", "8: removed: continue",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, m := range found {
		if m.what == "the condition is negated: n < 0" && !strings.Contains(string(m.apply([]byte(mutated))), "\t\tif !(n < 0) {\n") {
			t.Errorf("%s results in\n%s", m, m.apply([]byte(mutated)))
		}
	}
}

func TestSurvivors(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/small\n\ngo 1.26.0\n", "small.go": mutated, "small_test.go": itsTest} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settings := settings{n: 100, limit: time.Minute, tests: []string{"."}}
	var report strings.Builder
	survivors, err := sample(t.Context(), &report, dir, ".", settings)
	if err != nil {
		t.Fatal(err)
	}
	var changes []string
	for _, m := range survivors {
		changes = append(changes, m.what)
	}
	slices.Sort(changes)
	if !slices.Equal(changes, []string{"0 becomes 1", "< becomes <="}) { // skipping zeros does not change the sum
		t.Errorf("survivors are %q", survivors)
	}
	if got := report.String(); !strings.Contains(got, "\nsmall.go:7: < becomes <=\n") || !strings.HasSuffix(got, "\n9 of 11 were detected\n") {
		t.Errorf("the report is\n%s", got)
	}

	if err := os.WriteFile(filepath.Join(dir, "small_test.go"), []byte(strings.Replace(itsTest, "!= 8", "!= 9", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sample(t.Context(), io.Discard, dir, ".", settings); err == nil || !strings.Contains(err.Error(), "the sum is wrong") {
		t.Errorf("tests that fail without a mutation return %v", err)
	}
}

func TestMutationsOfSomeFilesOfAPackage(t *testing.T) {
	in := func(files ...string) (mutated []string) {
		all, err := mutationsOfPackage(t.Context(), ".", ".", files)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			mutated = append(mutated, filepath.Base(m.file))
		}
		slices.Sort(mutated)
		return slices.Compact(mutated)
	}
	if all, some := in(), in("mutations.go"); !slices.Equal(all, []string{"main.go", "mutations.go"}) || !slices.Equal(some, all[1:]) {
		t.Errorf("mutations are in %v of all files, and in %v of one", all, some)
	}
	if _, err := mutationsOfPackage(t.Context(), ".", ".", []string{"missing.go"}); err == nil || !strings.Contains(err.Error(), "missing.go") {
		t.Errorf("error %v, want one that names the file", err)
	}
}

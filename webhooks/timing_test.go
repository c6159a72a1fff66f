package webhooks

import (
	"go/ast"
	"go/parser"
	"go/token"
	"hash"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// These tests check constant-time verification in two ways that need no measurement: they count the work of the verifier, and they check
// its source code for branches. crypto/subtle guarantees that comparing two arrays takes the same time wherever they differ.
// BenchmarkVerifyTiming measures the actual time.

// work counts the calls of a verifier's HMACs, and the bytes written to them.
type work struct {
	mu                  sync.Mutex
	resets, sums, bytes int
}

type countingHash struct {
	hash.Hash
	work *work
}

func (h countingHash) Write(p []byte) (int, error) {
	h.work.mu.Lock()
	h.work.bytes += len(p)
	h.work.mu.Unlock()
	return h.Hash.Write(p)
}

func (h countingHash) Sum(b []byte) []byte {
	h.work.mu.Lock()
	h.work.sums++
	h.work.mu.Unlock()
	return h.Hash.Sum(b)
}

func (h countingHash) Reset() {
	h.work.mu.Lock()
	h.work.resets++
	h.work.mu.Unlock()
	h.Hash.Reset()
}

// counted instruments v to count its work.
func counted(v *Verifier) *work {
	total := new(work)
	for _, k := range v.keys {
		set := k.macs.New
		k.macs.New = func() any {
			m := set().(*mac)
			m.Hash = countingHash{m.Hash, total}
			return m
		}
	}
	return total
}

func TestVerifyDoesTheSameWorkForEverySignature(t *testing.T) {
	secrets := []string{"whsec_first", "whsec_second", "whsec_third"}
	body := []byte(strings.Repeat("body ", 100))
	wrongAt := func(signature string, i int) string {
		digits := []byte(signature)
		digits[i] = "123456789abcdef0"[strings.IndexByte("0123456789abcdef", digits[i])] // another digit
		return string(digits)
	}
	for n := 1; n <= len(secrets); n++ {
		v, err := NewVerifier(secrets[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		total := counted(v)
		last := len(Sign(body, "x")) - 1
		signatures := map[string]string{
			"of an unknown secret": Sign(body, "whsec_nobody"), "zeros": strings.Repeat("0", last+1),
			"of another body": Sign(body[1:], secrets[0]),
		}
		for i, secret := range secrets[:n] {
			of := "of secret " + strconv.Itoa(i+1)
			signatures[of] = Sign(body, secret)
			signatures[of+", wrong in the first digit"] = wrongAt(Sign(body, secret), 0)
			signatures[of+", wrong in the middle"] = wrongAt(Sign(body, secret), last/2)
			signatures[of+", wrong in the last digit"] = wrongAt(Sign(body, secret), last)
		}
		want := work{resets: n, sums: n, bytes: n * len(body)}
		for name, signature := range signatures {
			total.resets, total.sums, total.bytes = 0, 0, 0
			if err := v.Verify(body, signature); (err == nil) != slices.Contains([]string{"of secret 1", "of secret 2", "of secret 3"}, name) {
				t.Errorf("with %d secrets, a signature %s: %v", n, name, err)
			}
			if total.resets != want.resets || total.sums != want.sums || total.bytes != want.bytes {
				t.Errorf("with %d secrets, a signature %s took %d resets, %d sums and %d bytes, want %d, %d and %d",
					n, name, total.resets, total.sums, total.bytes, want.resets, want.sums, want.bytes)
			}
		}
	}
}

// From the first HMAC to the result there must be no branch, and no comparison but that of crypto/subtle.
func TestVerifyDoesNotBranch(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "signature.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	loops, compares := 0, 0
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Recv == nil {
			continue
		}
		switch fn.Name.Name {
		case "Verify":
			ast.Inspect(fn.Body, func(node ast.Node) bool {
				if loop, ok := node.(*ast.RangeStmt); ok {
					loops++
					checkNoBranch(t, "the loop over the secrets", loop.Body)
				}
				return true
			})
		case "compare":
			compares++
			checkNoBranch(t, "the comparison", fn.Body)
			if called := calls(fn.Body); !slices.Contains(called, "subtle.ConstantTimeCompare") {
				t.Errorf("the comparison calls only %q", called)
			}
		}
	}
	if loops != 1 || compares != 1 {
		t.Errorf("found %d loops over the secrets and %d comparisons, want one each", loops, compares)
	}
}

func checkNoBranch(t *testing.T, what string, body ast.Node) {
	t.Helper()
	ast.Inspect(body, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.IfStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt, *ast.BranchStmt, *ast.ForStmt, *ast.DeferStmt:
			t.Errorf("%s has a %T", what, n)
		case *ast.BinaryExpr:
			t.Errorf("%s has the operator %s", what, n.Op)
		}
		return true
	})
	for _, call := range calls(body) {
		if strings.HasPrefix(call, "bytes.") || strings.HasPrefix(call, "strings.") || strings.HasPrefix(call, "slices.") {
			t.Errorf("%s calls %s", what, call)
		}
	}
}

// calls returns the qualified functions and the methods that node calls.
func calls(node ast.Node) []string {
	var names []string
	ast.Inspect(node, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok {
				names = append(names, x.Name+"."+selector.Sel.Name)
			}
		}
		return true
	})
	return names
}

// BenchmarkVerifyTiming alternates between signatures with different wrong digits and valid ones of different secrets. It reports the
// medians relative to the first kind. They are 1.00, apart from noise, if the time does not depend on the signature.
func BenchmarkVerifyTiming(b *testing.B) {
	body := []byte(strings.Repeat("body ", 60))
	v, err := NewVerifier("whsec_first", "whsec_second", "whsec_third")
	if err != nil {
		b.Fatal(err)
	}
	right := Sign(body, "whsec_first")
	wrongAt := func(i int) string {
		digits := []byte(right)
		digits[i] = "123456789abcdef0"[strings.IndexByte("0123456789abcdef", digits[i])]
		return string(digits)
	}
	kinds := []struct{ name, signature string }{
		{"wrong-first", wrongAt(0)},
		{"wrong-last", wrongAt(len(right) - 1)},
		{"right-first-secret", right},
		{"right-last-secret", Sign(body, "whsec_third")},
	}
	took := make([][]time.Duration, len(kinds))
	for b.Loop() {
		for i, kind := range kinds {
			start := time.Now()
			_ = v.Verify(body, kind.signature)
			took[i] = append(took[i], time.Since(start))
		}
	}
	median := func(durations []time.Duration) float64 {
		slices.Sort(durations)
		return float64(durations[len(durations)/2])
	}
	first := median(took[0])
	for i, kind := range kinds[1:] {
		b.ReportMetric(median(took[i+1])/first, kind.name+"/"+kinds[0].name)
	}
}

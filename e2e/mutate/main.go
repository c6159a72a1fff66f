// Command mutate applies random mutations to a package and prints those that its tests do not detect:
//
//	go run ./e2e/mutate [-n 20] [-seed N] [-limit 2m] [-files receive.go,…] [-tests ./e2e/webhooks,…] [-run regexp] ./webhooks
//
// A mutation negates a condition, replaces an operator, adds one to a number, swaps true and false, or removes a statement. The tests run
// with an overlay, so no file of the tree changes. A surviving mutation is behavior without a test, or makes no difference; the reader must
// tell which. The exit status is 1 if there are survivors, and 2 if the command failed.
//
// This is not github.com/go-gremlins/gremlins, because its version 0.6.0 removes no statements and takes no samples, and running all
// mutations of a package with these tests takes hours.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	s := settings{}
	flag.IntVar(&s.n, "n", 20, "number of mutations to try; those that do not compile do not count")
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().Unix()), "seed of the sampling, to repeat a run")
	flag.DurationVar(&s.limit, "limit", 2*time.Minute, "time limit for the tests of one mutation; a mutation that exceeds it is detected")
	files := flag.String("files", "", "files of the package to mutate, separated by commas; all if empty")
	tests := flag.String("tests", "", "further packages whose tests run, separated by commas")
	flag.StringVar(&s.run, "run", "", "which tests run, as for go test")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	s.tests = append(s.tests, flag.Arg(0))
	if *tests != "" {
		s.tests = append(s.tests, strings.Split(*tests, ",")...)
	}
	if *files != "" {
		s.files = strings.Split(*files, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	survivors, err := sample(ctx, os.Stdout, ".", flag.Arg(0), s)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	case len(survivors) > 0:
		os.Exit(1)
	}
}

type settings struct {
	n     int
	seed  uint64
	limit time.Duration
	files []string // of the package; all if empty
	tests []string
	run   string
}

// sample tries up to s.n mutations of a package of the module in dir, writes a report to out and returns the survivors.
func sample(ctx context.Context, out io.Writer, dir, pkg string, s settings) (survivors []mutation, err error) {
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	all, err := mutationsOfPackage(ctx, dir, pkg, s.files)
	if err != nil {
		return nil, err
	}
	switch fate, output, err := test(ctx, dir, "", s); {
	case err != nil:
		return nil, err
	case fate != survived:
		return nil, fmt.Errorf("the tests fail without any mutation:\n%s", output)
	}
	fmt.Fprintf(out, "%d of %d mutations of %s, seed %d\n", min(s.n, len(all)), len(all), pkg, s.seed)
	rand.New(rand.NewPCG(s.seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	tried := 0
	for _, m := range all {
		if tried == s.n {
			break
		}
		overlay, err := overlayOf(work, m)
		if err != nil {
			return survivors, err
		}
		fate, _, err := test(ctx, dir, overlay, s)
		if err != nil {
			return survivors, err
		}
		if fate == unbuilt {
			continue
		}
		tried++
		if fate == survived {
			survivors = append(survivors, m)
			fmt.Fprintln(out, m.under(dir))
		}
	}
	_, err = fmt.Fprintf(out, "%d of %d were detected\n", tried-len(survivors), tried)
	return survivors, err
}

// mutationsOfPackage returns the mutations of a package's files that are built on this system and not generated, or of some of these files.
func mutationsOfPackage(ctx context.Context, dir, pkg string, files []string) ([]mutation, error) {
	list := exec.CommandContext(ctx, "go", "list", "-json=Dir,GoFiles", pkg)
	list.Dir = dir
	output, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", list, err)
	}
	var listed struct {
		Dir     string
		GoFiles []string
	}
	if err := json.Unmarshal(output, &listed); err != nil {
		return nil, err
	}
	for _, name := range files {
		if !slices.Contains(listed.GoFiles, name) {
			return nil, fmt.Errorf("%s has no file %s", pkg, name)
		}
	}
	var all []mutation
	for _, name := range listed.GoFiles {
		if strings.HasSuffix(name, ".gen.go") || len(files) > 0 && !slices.Contains(files, name) {
			continue
		}
		found, err := mutationsOf(filepath.Join(listed.Dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is nothing to mutate in %s", pkg)
	}
	return all, nil
}

// overlayOf writes the mutated file and an overlay that replaces the original with it to work. It returns the path for -overlay.
func overlayOf(work string, m mutation) (string, error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	mutated, overlay := filepath.Join(work, "mutated.go"), filepath.Join(work, "overlay.json")
	if err := os.WriteFile(mutated, m.apply(text), 0o600); err != nil {
		return "", err
	}
	content, err := json.Marshal(map[string]map[string]string{"Replace": {m.file: mutated}})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, content, 0o600)
}

// fate is the outcome of a mutation.
type fate int

const (
	unbuilt  fate = iota // it does not compile
	detected             // a test fails or does not end
	survived             // all tests pass
)

// test runs the tests, with the overlay unless it is empty.
func test(ctx context.Context, dir, overlay string, s settings) (fate, string, error) {
	args := []string{"test", "-count=1", "-failfast", "-vet=off", "-timeout=" + s.limit.String()}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	if s.run != "" {
		args = append(args, "-run="+s.run)
	}
	command := exec.CommandContext(ctx, "go", slices.Concat(args, s.tests)...)
	command.Dir = dir
	output, err := command.CombinedOutput()
	_, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return survived, "", nil
	case ctx.Err() != nil:
		return 0, "", ctx.Err()
	case !failed:
		return 0, "", err
	case strings.Contains(string(output), "[build failed]") || strings.Contains(string(output), "[setup failed]"):
		return unbuilt, string(output), nil
	default:
		return detected, string(output), nil
	}
}

// Command mutate samples mutations of a package and prints those that its tests do not notice:
//
//	go run ./e2e/mutate [-n 20] [-seed N] [-limit 2m] [-tests ./e2e/webhooks,…] [-run regexp] ./webhooks
//
// A mutation negates a condition, exchanges an operator, adds one to a number, turns true and false around or leaves a statement out. The tests
// run on it by way of an overlay, so that no file of the tree changes. A survivor is a behaviour that no test holds, or one that makes no
// difference, which a reader has to tell apart. It exits with status 1 if there are survivors, with 2 if it could not look for them.
//
// It is our own because what is kept does less here: github.com/go-gremlins/gremlins (0.6.0) leaves no statements out and takes no samples, and
// all mutations of a package with the tests of ours take hours.
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
	flag.IntVar(&s.n, "n", 20, "how many mutations are tried; those that do not compile do not count")
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().Unix()), "where the sampling begins, to try the same ones again")
	flag.DurationVar(&s.limit, "limit", 2*time.Minute, "how long the tests may run on one; one that takes longer is noticed")
	tests := flag.String("tests", "", "packages whose tests run as well, separated by commas")
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
	tests []string
	run   string
}

// sample tries up to s.n mutations of a package of the module at dir, reports to out and returns the survivors.
func sample(ctx context.Context, out io.Writer, dir, pkg string, s settings) (survivors []mutation, err error) {
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	all, err := mutationsOfPackage(ctx, dir, pkg)
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
	_, err = fmt.Fprintf(out, "%d of %d were noticed\n", tried-len(survivors), tried)
	return survivors, err
}

// mutationsOfPackage returns the mutations of what is built of a package on this system and was written by hand.
func mutationsOfPackage(ctx context.Context, dir, pkg string) ([]mutation, error) {
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
	var all []mutation
	for _, name := range listed.GoFiles {
		if strings.HasSuffix(name, ".gen.go") {
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

// overlayOf writes to work what the go command needs to see the mutation in the place of the file, and returns the path for -overlay.
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

// fate is what becomes of a mutation.
type fate int

const (
	unbuilt  fate = iota // it does not compile
	noticed              // a test fails or does not end
	survived             // all tests pass
)

// test runs the tests with an overlay, or on the tree as it is if there is none.
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
		return noticed, string(output), nil
	}
}

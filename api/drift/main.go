// Command drift compares a published OpenAPI document, of version 3.0 or 3.1, with the contract:
//
//	go run ./api/drift [-facts] path-or-URL
//
// It prints one line for each difference that api/upstream.yaml does not list, and for each entry of that file that no longer applies. The
// lines are grouped by operation, breaking changes first, and each begins with the file and line to edit. The exit status is 1 if it prints
// any line, and 2 if it could not compare. With JOGG_API_KEY in the environment, it also compares the event types that the running service
// lists.
//
// It compares operations by method and path: their parameters, and the fields of their requests and successful responses with types,
// enumerations, limits, defaults and required fields. It ignores prose, examples, tags, operationIds, error responses and security. -facts
// prints the compared facts of the document instead, one per line and sorted. The sha256 in api/upstream.yaml is the hash of this text, so
// it does not change if only the prose is edited.
//
// The comparison is our own because github.com/oasdiff/oasdiff (1.37.0) does not understand an anyOf with null, which is how OpenAPI 3.1
// expresses the nullable of OpenAPI 3.0. Between the contract and the document that it was made from, oasdiff reports 589 changes,
// including 134 removed response fields. If both documents were normalized first, little work would be left for oasdiff. It would also add
// 28 modules, and it does not say which lines of the contract its changes belong to.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

const (
	contractFile = "api/openapi.yaml"
	upstreamFile = "api/upstream.yaml"
	// timeout limits the requests for the document and the event types.
	timeout = time.Minute
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: drift [-facts] path-or-URL of a published OpenAPI document")
	}
	onlyFacts := flag.Bool("facts", false, "print the facts of the document that are compared")
	flag.Parse()
	if flag.NArg() != 1 || flag.Arg(0) == "" {
		flag.Usage()
		os.Exit(2)
	}
	os.Exit(run(*onlyFacts, flag.Arg(0)))
}

// run executes the command and returns the exit status.
func run(onlyFacts bool, published string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if onlyFacts {
		if err := printFacts(ctx, os.Stdout, published); err != nil {
			fmt.Fprintln(os.Stderr, "drift:", err)
			return 2
		}
		return 0
	}
	lines, err := drift(ctx, os.Stdout, published, contractFile, upstreamFile, listedEvents(os.Getenv("JOGG_API_KEY")))
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "drift:", err)
		return 2
	case lines > 0:
		return 1
	default:
		return 0
	}
}

// drift writes the differences between the documents published and contract, which are paths or URLs, to out. It returns the number of
// lines. events returns the event types of the running service; if it is nil, they are not compared.
func drift(ctx context.Context, out io.Writer, published, contract, upstream string, events eventLister) (lines int, err error) {
	record, err := readRecord(upstream)
	if err != nil {
		return 0, err
	}
	theirs, err := operations(ctx, published, record.Paths)
	if err != nil {
		return 0, err
	}
	ours, err := operations(ctx, contract, nil)
	if err != nil {
		return 0, err
	}
	differences := compare(ours, theirs)
	if events != nil {
		more, err := compareEvents(ctx, contract, events)
		if err != nil {
			return 0, err
		}
		differences = append(differences, more...)
	}
	unexplained, obsolete := record.explain(differences, events != nil)
	if len(unexplained)+len(obsolete) == 0 {
		return 0, nil
	}
	_, err = fmt.Fprintf(out, "%s: %d operations, sha256 %s; the contract was last compared with %s (%s): %d operations, sha256 %s\n",
		published, len(theirs.all), digest(theirs), record.Document.Source, record.Document.Date, record.Document.Operations, record.Document.SHA256)
	if err != nil {
		return 0, err
	}
	report(out, contract, unexplained)
	for _, entry := range obsolete {
		fmt.Fprintf(out, "%s:%d: this difference no longer exists: %s: %s\n", upstream, entry.line, entry.Where, entry.What)
	}
	return len(unexplained) + len(obsolete), nil
}

// printFacts writes the facts of a document that are compared.
func printFacts(ctx context.Context, out io.Writer, published string) error {
	record, err := readRecord(upstreamFile)
	if err != nil {
		return err
	}
	theirs, err := operations(ctx, published, record.Paths)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, strings.Join(facts(theirs), ""))
	return err
}

func digest(d *operationSet) string {
	sum := sha256.Sum256([]byte(strings.Join(facts(d), "")))
	return hex.EncodeToString(sum[:])
}

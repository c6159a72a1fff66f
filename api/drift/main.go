// Command drift compares a published OpenAPI document, of version 3.0 or 3.1, with the contract:
//
//	go run ./api/drift [-facts] path-or-URL
//
// It prints one line for each difference that api/upstream.yaml does not hold, and for each entry of that file that has become untrue. They
// are grouped by operation, what breaks callers comes first, and each begins with the line to edit. It exits with status 1 if there is a
// line, with 2 if it could not compare. With JOGG_API_KEY in the environment it also compares the event types that the running service lists.
//
// Operations are compared by method and path, their parameters, the fields of their request and of their successful answers with types,
// enumerations, limits, defaults and what is required. Prose, examples, tags, operationIds, failures and security are not. -facts prints
// what is compared of the document instead, one line for each fact, sorted; the sha256 in api/upstream.yaml is that of this text, so that an
// edit of the prose leaves it as it is.
//
// The comparison is our own because that of github.com/oasdiff/oasdiff (1.37.0) does not see through an anyOf with null, which is how OpenAPI
// 3.1 says what OpenAPI 3.0 calls nullable: between the contract and the document that it was made from it reports 589 changes, among them
// that 134 fields of answers are gone. Put into a common form first there is little left for it to do, it would bring 28 modules, and it
// does not say which lines of the contract its changes belong to.
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
	// patience is how long the document and the event types may take to arrive.
	patience = time.Minute
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: drift [-facts] path-or-URL of a published OpenAPI document")
	}
	onlyFacts := flag.Bool("facts", false, "print what is compared of the document")
	flag.Parse()
	if flag.NArg() != 1 || flag.Arg(0) == "" {
		flag.Usage()
		os.Exit(2)
	}
	os.Exit(run(*onlyFacts, flag.Arg(0)))
}

// run does what the command line asks for and returns the exit status.
func run(onlyFacts bool, published string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
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

// drift writes the differences between the documents that are called published and contract, by path or URL, to out and returns how many
// lines there are. events returns the event types of the running service; nil stands for not asking.
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
	unexplained, untrue := record.explain(differences, events != nil)
	if len(unexplained)+len(untrue) == 0 {
		return 0, nil
	}
	_, err = fmt.Fprintf(out, "%s: %d operations, sha256 %s; the contract was last held against %s (%s): %d operations, sha256 %s\n",
		published, len(theirs.all), digest(theirs), record.Document.Source, record.Document.Date, record.Document.Operations, record.Document.SHA256)
	if err != nil {
		return 0, err
	}
	report(out, contract, unexplained)
	for _, entry := range untrue {
		fmt.Fprintf(out, "%s:%d: the document no longer differs in this: %s: %s\n", upstream, entry.line, entry.Where, entry.What)
	}
	return len(unexplained) + len(untrue), nil
}

// printFacts writes what is compared of a document.
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

package change

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// edit is one change of the contract. It edits the text, so that comments and layout are preserved.
type edit func(contract []byte) ([]byte, error)

// add inserts lines at the beginning of the object or list at the place.
func add(text string, place ...string) edit {
	return func(contract []byte) ([]byte, error) {
		_, node, err := find(contract, place)
		if err != nil {
			return nil, err
		}
		if node.Style&yaml.FlowStyle != 0 {
			return insert(contract, node.Line, node.Column, text+", "), nil
		}
		first := node.Content[0]
		column := first.Column - 1
		if node.Kind == yaml.SequenceNode {
			column -= len("- ")
		}
		indent := strings.Repeat(" ", column)
		lines := strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+indent)
		return insert(contract, first.Line, 0, indent+lines+"\n"), nil
	}
}

// remove removes the member at the place.
func remove(place ...string) edit {
	return func(contract []byte) ([]byte, error) {
		key, _, err := find(contract, place)
		if err != nil {
			return nil, err
		}
		lines := bytes.SplitAfter(contract, []byte("\n"))
		end := key.Line
		for deeper := strings.Repeat(" ", key.Column); end < len(lines) && bytes.HasPrefix(lines[end], []byte(deeper)); end++ {
		}
		return bytes.Join(slices.Delete(lines, key.Line-1, end), nil), nil
	}
}

// rename renames the member at the place.
func rename(name string, place ...string) edit {
	return func(contract []byte) ([]byte, error) {
		key, _, err := find(contract, place)
		if err != nil {
			return nil, err
		}
		lines := bytes.SplitAfter(contract, []byte("\n"))
		line := lines[key.Line-1]
		lines[key.Line-1] = slices.Concat(line[:key.Column-1], []byte(name), line[key.Column-1+len(key.Value):])
		return bytes.Join(lines, nil), nil
	}
}

// find returns the key and the value of the member at the place.
func find(contract []byte, place []string) (key, value *yaml.Node, err error) {
	var document yaml.Node
	if err := yaml.Unmarshal(contract, &document); err != nil {
		return nil, nil, err
	}
	value = document.Content[0]
	for i, name := range place {
		members := value.Content
		at := -1
		for k := 0; k+1 < len(members) && value.Kind == yaml.MappingNode; k += 2 {
			if members[k].Value == name {
				at = k
			}
		}
		if at < 0 {
			return nil, nil, fmt.Errorf("the contract has no %s", strings.Join(place[:i+1], " > "))
		}
		key, value = members[at], members[at+1]
	}
	return key, value, nil
}

// insert inserts text into a line, counted from 1, after the given number of bytes.
func insert(contract []byte, line, after int, text string) []byte {
	lines := bytes.SplitAfter(contract, []byte("\n"))
	at := lines[line-1]
	lines[line-1] = slices.Concat(at[:after], []byte(text), at[after:])
	return bytes.Join(lines, nil)
}

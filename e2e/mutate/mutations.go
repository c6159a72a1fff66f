package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mutation is one change of a file: it replaces the bytes from start to end.
type mutation struct {
	file        string
	line        int
	what        string
	start, end  int
	replacement string
}

func (m mutation) String() string { return fmt.Sprintf("%s:%d: %s", m.file, m.line, m.what) }

// under returns the mutation with its file relative to a directory.
func (m mutation) under(dir string) mutation {
	if absolute, err := filepath.Abs(dir); err == nil {
		if relative, err := filepath.Rel(absolute, m.file); err == nil {
			m.file = relative
		}
	}
	return m
}

// apply returns the file's text with the mutation.
func (m mutation) apply(text []byte) []byte {
	return []byte(string(text[:m.start]) + m.replacement + string(text[m.end:]))
}

// operators maps each operator to its replacement.
var operators = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL,
	token.SHL: token.SHR, token.SHR: token.SHL, token.AND: token.OR, token.OR: token.AND,
}

// mutationsOf returns every mutation of a file, in the order of the text. Some of them may not compile.
func mutationsOf(path string) ([]mutation, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := finder{path: path, text: text, file: files.File(parsed.FileStart)}
	ast.Inspect(parsed, f.visit)
	return f.found, nil
}

type finder struct {
	path  string
	text  []byte
	file  *token.File
	found []mutation
}

func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		f.negate(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			f.negate(n.Cond)
		}
	case *ast.BinaryExpr:
		if other, ok := operators[n.Op]; ok {
			f.replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), other.String(), fmt.Sprintf("%s becomes %s", n.Op, other))
		}
	case *ast.BasicLit:
		if i, err := strconv.ParseInt(n.Value, 0, 64); n.Kind == token.INT && err == nil {
			f.replace(n.Pos(), n.End(), strconv.FormatInt(i+1, 10), fmt.Sprintf("%s becomes %d", n.Value, i+1))
		}
	case *ast.Ident:
		if other, ok := map[string]string{"true": "false", "false": "true"}[n.Name]; ok {
			f.replace(n.Pos(), n.End(), other, n.Name+" becomes "+other)
		}
	case *ast.BlockStmt:
		f.drop(n.List)
	case *ast.CaseClause:
		f.drop(n.Body)
	case *ast.CommClause:
		f.drop(n.Body)
	case *ast.ImportSpec:
		return false
	}
	return true
}

func (f *finder) negate(condition ast.Expr) {
	text := f.textOf(condition)
	f.replace(condition.Pos(), condition.End(), "!("+text+")", "the condition is negated: "+firstLine(text))
}

// drop removes each statement that does not declare anything.
func (f *finder) drop(statements []ast.Stmt) {
	for _, s := range statements {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt, *ast.BranchStmt:
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		default:
			continue
		}
		f.replace(s.Pos(), s.End(), "", "removed: "+firstLine(f.textOf(s)))
	}
}

func (f *finder) textOf(n ast.Node) string {
	return string(f.text[f.file.Offset(n.Pos()):f.file.Offset(n.End())])
}

func (f *finder) replace(from, to token.Pos, replacement, what string) {
	f.found = append(f.found, mutation{
		file: f.path, line: f.file.Line(from), what: what,
		start: f.file.Offset(from), end: f.file.Offset(to), replacement: replacement,
	})
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

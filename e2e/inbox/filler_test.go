package inbox_test

func runFiller() error { return nil }

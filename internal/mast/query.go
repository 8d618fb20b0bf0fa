package mast

// Query is a filtered question to the archive's query service.
type Query struct {
	// Filters must all hold.
	Filters []Filter
	// Columns is "*" or a comma-separated list; "" means "*" for observations, and the columns KeywordRow needs for
	// keyword services.
	Columns string
	// Position, if not "", restricts observations to a cone: "ra, dec, radius" in degrees (ICRS).
	Position string
}

// Filter is a condition on one column: any of Values, or text matching FreeText, or a number in [Min, Max].
type Filter struct {
	Column string
	// Values are compared as exact text, numbers too.
	Values []string
	// Min and Max are inclusive; both or neither are set, and then Values and FreeText are empty.
	Min, Max *float64
	// FreeText is a pattern; '*' and '%' stand for any text.
	FreeText string
	// Separator is needed for columns that hold a list: ";" for filters, wavelength_region, target_classification,
	// obs_collection and project.
	Separator string
}

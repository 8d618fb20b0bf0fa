package fetcher

// What tests look at from outside.
const PartDir = partDir

var PartPath = partPath

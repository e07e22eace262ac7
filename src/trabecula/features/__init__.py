"""Study -> FeatureTable: radiomics of the region and the average-pool vector of a ResNet-50."""

"""tables/records"""

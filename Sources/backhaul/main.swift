print("backhaul")
